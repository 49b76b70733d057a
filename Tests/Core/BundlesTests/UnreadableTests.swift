import Base
import Glibc
import Testing

@testable import Bundles

/// A read that fails says nothing about the evidence: it is a failure with its errno, and never a finding.
@Suite("What could not be read")
struct UnreadableTests {
    private func outcome(failingAfter count: Int) throws -> Failure? {
        let whole = try Disk.read(BytePath(#filePath).parent.appending("../../quell-fuzz/Corpus/pax/sample"))
        var given = 0
        do throws(Problem) {
            let reader = try PaxReader(name: "archive") { () throws(Problem) in
                guard given < count else {
                    throw .failure(Failure(errno: EIO, "read the file", on: BytePath("volume")))
                }
                let piece = whole[given..<min(given + 512, count)]
                given += piece.count
                // As long as the archive is read, and no longer than this test.
                let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 16)
                copy.copyBytes(from: piece)
                return UnsafeRawBufferPointer(copy)
            }
            while try reader.next() != nil { while try reader.nextData() != nil {} }
        } catch {
            if case .failure(let failure) = error { return failure }
        }
        return nil
    }

    @Test("an archive that cannot be read on is no damaged archive", arguments: [0, 512, 1024, 1536])
    func archive(count: Int) throws {
        let failure = try outcome(failingAfter: count)
        #expect(failure?.errno == EIO && failure?.subject == "volume", "\(String(describing: failure))")
    }
}
