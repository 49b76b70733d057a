import Base
import Glibc
import Testing

@testable import QuellCommands

@Suite("who may open what is encrypted")
final class RecipientFilesTests {
    private let store: BytePath

    init() throws {
        var template = Array("/tmp/quell-recipients-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in buffer.baseAddress.flatMap { mkdtemp($0) } }
        try #require(made != nil)
        store = BytePath(template.dropLast().map { UInt8(bitPattern: $0) })
    }

    deinit {
        let folder = store.appending("recipients")
        for name in ["a.pem", "notes"] { _ = folder.appending(name).withCString { unlink($0) } }
        _ = folder.withCString { unlink($0) }
        _ = folder.withCString { rmdir($0) }
        _ = store.withCString { rmdir($0) }
    }

    private func failure() -> Failure? {
        do throws(Failure) {
            _ = try RecipientFiles.standing(in: store)
            return nil
        } catch {
            return error
        }
    }

    @Test("recipients that cannot be read are a failure, and not nobody: memory would lie in plain")
    func unreadable() throws {
        #expect(try RecipientFiles.standing(in: store).isEmpty)
        let folder = store.appending("recipients")
        let file = folder.withCString { creat($0, 0o600) }
        #expect(file >= 0)
        close(file)
        #expect(failure() != nil, "a file in place of the folder")
        #expect(folder.withCString { unlink($0) } == 0)
        #expect(folder.withCString { mkdir($0, 0o700) } == 0)
        #expect(try RecipientFiles.standing(in: store).isEmpty)
        let broken = folder.appending("a.pem").withCString { creat($0, 0o600) }
        #expect(broken >= 0)
        close(broken)
        #expect(failure() != nil, "a certificate that is none")
        #expect(folder.withCString { chmod($0, 0o777) } == 0)
        #expect(failure()?.code == .refused, "others can write it")
    }
}
