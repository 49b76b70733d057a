import Base
import Glibc
import Kernel
import Synchronization
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

    @Test("the size of a file is read, with bounds")
    func looks() {
        let id = SFTPWire.number(UInt32(5))
        let sized = id + SFTPWire.number(UInt32(1)) + SFTPWire.number(UInt64(77))
        #expect(SFTPReply(body(SFTPWire.packet(.attributes, sized)))?.content == .attributes(id: 5, size: 77))
        let unsized = id + SFTPWire.number(UInt32(4)) + SFTPWire.number(UInt32(0o100600))
        #expect(SFTPReply(body(SFTPWire.packet(.attributes, unsized)))?.content == .attributes(id: 5, size: nil))
        #expect(SFTPReply(body(SFTPWire.packet(.attributes, Array(sized.dropLast())))) == nil)
    }

    @Test("a capture goes to a directory, a file, standard output, or either on another host")
    func captures() throws {
        func read(_ text: String) throws(Failure) -> CaptureDestination {
            try CaptureDestination(text) { $0.isAbsolute ? $0 : BytePath("/nowhere").appending($0) }
        }
        #expect(try read("-").place == .output)
        #expect(try read("/tmp").place == .folder(BytePath("/tmp")))
        #expect(try read("/tmp").words("amber-1") == "/tmp/amber-1")
        #expect(try read("x.quell.tar").place == .file(BytePath("/nowhere/x.quell.tar")))
        #expect(try read("sftp:kim@safe:/in").place == .remoteFolder(host: "kim@safe", BytePath("/in")))
        #expect(try read("sftp:safe:/in/").words("amber-1") == "safe:/in/amber-1")
        #expect(try read("sftp:safe:/a.quell.tar").place == .remoteFile(host: "safe", BytePath("/a.quell.tar")))
        for bad in ["sftp:", "sftp:host:relative", "sftp:-oProxyCommand=x:/a"] {
            #expect(throws: Failure.self, "\(bad)") { try read(bad) }
        }
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

    @Test("a far disk that is full is named, and NAME.part is taken away whatever became of the writes on their way")
    func fullDisk() throws {
        for room in [0, 1 << 20] as [UInt64] {
            let server = try FullServer(room: room)
            let upload = try SFTPUpload(to: BytePath("/in/a.tar"), through: server.client(), patience: .seconds(5))
            let failure = #expect(throws: Failure.self) { try fill(upload) }
            #expect(failure?.errno == (room == 0 ? ENOSPC : nil))
            #expect(failure?.reason.hasSuffix("the disk there is full, 0 bytes are left") == (room == 0))
            #expect(upload.abandon() == nil)
            #expect(server.removed == ["/in/a.tar.part"])
        }
    }

    private func fill(_ upload: SFTPUpload) throws(Failure) {
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 1)
        defer { piece.deallocate() }
        piece.initializeMemory(as: UInt8.self, repeating: 7)
        for _ in 0..<200 { try upload.append(UnsafeRawBufferPointer(piece)) }
        try upload.finish()
    }

    @Test("a lost connection is not waited for again, and what may still lie there is told")
    func lost() throws {
        let server = try FullServer(room: 0, endsAtWrite: true)
        let upload = try SFTPUpload(to: BytePath("/in/a.tar"), through: server.client(), patience: .seconds(60))
        #expect(throws: Failure.self) { try fill(upload) }
        #expect(upload.abandon() == "the connection is lost")
    }

    @Test("what is left on the other disk is read from exactly eleven numbers")
    func room() {
        func reply(_ numbers: [UInt64]) -> SFTPReply? {
            SFTPReply([201] + SFTPWire.number(UInt32(5)) + numbers.flatMap { SFTPWire.number($0) })
        }
        #expect(reply([4096, 512, 9, 8, 7, 0, 0, 0, 0, 0, 255])?.content == .room(id: 5, bytes: 512 * 7))
        #expect(reply([1, .max, 1, 1, .max, 0, 0, 0, 0, 0, 0])?.content == .room(id: 5, bytes: .max))
        let silent = reply([4096, 512, 0, 0, 0, 0, 0, 0, 0, 0, 255])
        #expect(silent?.content == .room(id: 5, bytes: nil), "a file system that counts no blocks does not say")
        #expect(reply([1, 2, 3]) == nil)
        #expect(reply([UInt64](repeating: 1, count: 12)) == nil)
    }
}

/// An SFTP server whose disk takes nothing.
private final class FullServer: Sendable {
    private let ends: (ours: Int32, theirs: Int32)
    private let room: UInt64
    private let endsAtWrite: Bool
    private let names = Mutex<[String]>([])

    /// What it was told to remove.
    var removed: [String] { names.withLock { $0 } }

    init(room: UInt64, endsAtWrite: Bool = false) throws {
        var pair: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        ends = (pair[0], pair[1])
        self.room = room
        self.endsAtWrite = endsAtWrite
        let serving = try OwnedThread { self.serve() }
        serving.detach()
    }

    func client() -> Descriptor { Descriptor(adopting: ends.ours) }

    private func serve() {
        defer { close(ends.theirs) }
        while let head = read(4), let body = read(head.reduce(0) { $0 << 8 | Int($1) }) {
            let id = Array(body[1..<5])
            let rest = Array(body[5...])
            var answer = SFTPWire.packet(.status, id + SFTPWire.number(UInt32(0)) + SFTPWire.string([]))
            switch SFTPWire.Kind(rawValue: body[0]) {
            case .initialise: answer = SFTPWire.packet(.version, SFTPWire.number(UInt32(3)))
            case .open: answer = SFTPWire.packet(.handle, id + SFTPWire.string([1]))
            case .write:
                if endsAtWrite { return }
                let words = SFTPWire.string(Array("Failure".utf8))
                answer = SFTPWire.packet(.status, id + SFTPWire.number(UInt32(4)) + words)
            case .remove: names.withLock { $0.append(String(decoding: rest.dropFirst(4), as: UTF8.self)) }
            case .extended where rest.dropFirst(4).starts(with: "fstatvfs@openssh.com".utf8):
                let numbers: [UInt64] = [4096, 1, 9, 9, room, 0, 0, 0, 0, 0, 255]
                answer = SFTPWire.packet(.extendedReply, id + numbers.flatMap { SFTPWire.number($0) })
            default: break
            }
            guard send(ends.theirs, answer, answer.count, 0x4000) == answer.count else { return }
        }
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        guard recv(ends.theirs, &bytes, count, 0x100) == count else { return nil }
        return bytes
    }
}

extension SFTPUpload {
    /// Makes the file through a connection of its own.
    fileprivate convenience init(
        to path: BytePath,
        through socket: consuming Descriptor,
        patience: Duration
    ) throws(Failure) {
        let connection = try SFTPConnection(of: path, through: socket, patience: Patience(each: patience))
        try self.init(to: path, through: connection)
    }
}
