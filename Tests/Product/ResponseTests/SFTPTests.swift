import Base
import Glibc
import Testing

@testable import Response

@Suite("SFTP answers and destinations are read with bounds")
struct SFTPTests {
    private func body(_ packet: [UInt8]) -> [UInt8] { Array(packet.dropFirst(4)) }

    @Test("a version, a status and a handle are read, everything else is not")
    func replies() {
        let version = SFTPReply(body(SFTPWire.packet(.version, SFTPWire.number(UInt32(3)))))
        #expect(version?.content == .version(3))
        let status = SFTPWire.number(UInt32(7)) + SFTPWire.number(UInt32(4)) + SFTPWire.string(Array("Failure".utf8))
        #expect(SFTPReply(body(SFTPWire.packet(.status, status)))?.content == .status(id: 7, code: 4, words: "Failure"))
        let handle = SFTPWire.number(UInt32(9)) + SFTPWire.string([1, 2])
        #expect(SFTPReply(body(SFTPWire.packet(.handle, handle)))?.content == .handle(id: 9, [1, 2]))
        #expect(SFTPReply([]) == nil)
        #expect(SFTPReply([102, 0, 0, 0, 9, 0xFF, 0xFF, 0xFF, 0xFF, 1]) == nil)
        #expect(SFTPReply(body(SFTPWire.packet(.open, handle))) == nil)
        #expect(SFTPReply([101, 0, 0]) == nil)
        let long = SFTPWire.number(UInt32(9)) + SFTPWire.string([UInt8](repeating: 1, count: 257))
        #expect(SFTPReply(body(SFTPWire.packet(.handle, long))) == nil)
    }

    @Test("no answer that is cut or altered is taken for more than it holds")
    func mutations() {
        let status = SFTPWire.number(UInt32(7)) + SFTPWire.number(UInt32(4)) + SFTPWire.string(Array("Failure".utf8))
        let whole = body(SFTPWire.packet(.status, status))
        for count in 0..<whole.count {
            guard case .status(_, _, let words)? = SFTPReply(Array(whole.prefix(count)))?.content else { continue }
            #expect(words.isEmpty)
        }
        for place in whole.indices {
            for value in [0, 1, 0x7F, 0x80, 0xFF] as [UInt8] {
                var other = whole
                other[place] = value
                _ = SFTPReply(other)
            }
        }
    }

    @Test("destinations are files, directories, standard output and hosts; nothing becomes an option of ssh")
    func destinations() throws {
        func read(_ text: String) throws(Failure) -> BundleDestination {
            try BundleDestination(text, for: "amber-1") { BytePath("/w").appending($0) }
        }
        #expect(try read("-") == .output)
        #expect(try read("x.tar") == .file(BytePath("/w/x.tar")))
        let host = BundleDestination.sftp(host: "kim@safe.example.org", path: BytePath("/in/a.tar"))
        #expect(try read("sftp:kim@safe.example.org:/in/a.tar") == host)
        #expect(try read("sftp:safe:/in/") == .sftp(host: "safe", path: BytePath("/in/amber-1.quell.tar")))
        for bad in [
            "sftp:", "sftp:host", "sftp:host:relative", "sftp:-oProxyCommand=x:/a", "sftp::/a", "sftp:a b:/x",
            "sftp:$(id):/x", "sftp:kim@:/x",
        ] {
            #expect(throws: Failure.self, "\(bad)") { try read(bad) }
        }
        let words = SSHRoute(identity: BytePath("/k"), port: 2222).arguments(to: "safe").map(\.description)
        #expect(words.suffix(4) == ["-s", "--", "safe", "sftp"])
        #expect(words.contains("-oStrictHostKeyChecking=yes"))
        #expect(words.contains("-oBatchMode=yes"))
    }
}
