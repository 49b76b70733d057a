import Base
import Glibc
import Testing

@testable import Kernel

@Suite("the host's journal")
struct SystemJournalTests {
    @Test("RT15 an entry arrives in the native protocol, a value of several lines with its length")
    func arrives() throws {
        let path = BytePath("/tmp/quell-journal-\(getpid())")
        let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer {
            close(receiver)
            _ = path.withCString { unlink($0) }
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.bytes) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(receiver, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
        #expect(SystemJournal(at: path).send([("MESSAGE", "head"), ("QUELL_NOTE", "a\nb")]))
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = recv(receiver, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        try #require(count > 0)
        let expected = Array("MESSAGE=head\nQUELL_NOTE\n".utf8) + [3, 0, 0, 0, 0, 0, 0, 0] + Array("a\nb\n".utf8)
        #expect(Array(bytes[..<count]) == expected)
    }

    @Test("a host without a journal is told by false and nothing else")
    func absent() {
        #expect(!SystemJournal(at: BytePath("/nonexistent/socket")).send([("MESSAGE", "x")]))
        let tooLong = BytePath("/" + String(repeating: "a", count: 200))
        #expect(!SystemJournal(at: tooLong).send([("MESSAGE", "x")]))
    }
}
