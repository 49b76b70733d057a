import Base
import Bundles
import Glibc
import Kernel
import Testing

@testable import Response

@Suite("where a bundle goes fails")
struct LostLineTests {
    private func write(_ bytes: [UInt8], to name: String, of outlet: any BundleOutlet) throws(Failure) {
        let file = try outlet.begin(name)
        try bytes.withUnsafeBufferPointer { buffer throws(Failure) in
            try file.append(UnsafeRawBufferPointer(buffer))
        }
        try file.close()
    }

    /// Writes two files, one of them the seal, and gives up when that does not end well.
    private func fail(_ outlet: any BundleOutlet) throws -> OutletRemains {
        try write([1, 2, 3, 4], to: "data/x", of: outlet)
        try write([5], to: "seal.dsse.json", of: outlet)
        #expect(throws: Failure.self) { try outlet.finish(seal: "seal.dsse.json") }
        return outlet.abandon()
    }

    @Test("a far directory that does not get its name loses its seal, and nobody says what nobody knows")
    func farDirectory() throws {
        let refusing = try FaultyServer(.refusesRename)
        let remains = try fail(try SFTPFolder(creating: BytePath("/in/b"), through: refusing.connect()))
        #expect(remains.place == BytePath("/in/b.part"))
        #expect(remains.words == "1 whole file, 4 bytes, arrived there, without a seal")
        #expect(Array(refusing.files.keys) == ["/in/b.part/data/x"])

        let losing = try FaultyServer(.losesRename)
        let unknown = try fail(try SFTPFolder(creating: BytePath("/in/b"), through: losing.connect()))
        #expect(unknown.place == BytePath("/in/b"))
        #expect(unknown.words == "1 whole file, 4 bytes, arrived there; whether it was sealed there is not known")
        #expect(losing.files.keys.contains("/in/b/seal.dsse.json"), "it was")
    }

    @Test("a far file that does not get its name loses its seal, and nobody says what nobody knows")
    func farFile() throws {
        let path = BytePath("/in/b.quell.tar")
        let refusing = try FaultyServer(.refusesRename)
        let upload = try SFTPUpload(to: path, through: refusing.connect())
        let remains = try fail(TarOutlet("b", at: path, into: upload, spool: BytePath("/tmp")))
        #expect(remains.words == "1 whole file, 1024 bytes, went there without a seal")
        #expect(refusing.files.mapValues(\.count) == ["/in/b.quell.tar.part": 1024])

        let losing = try FaultyServer(.losesRename)
        let lost = try SFTPUpload(to: path, through: losing.connect())
        let unknown = try fail(TarOutlet("b", at: path, into: lost, spool: BytePath("/tmp")))
        #expect(unknown.place == path)
        #expect(unknown.words == "1 whole file, 1024 bytes, went there; whether it was sealed there is not known")
    }

    @Test("a far disk that is full is named as such, also where a capture writes file by file")
    func fullDirectory() throws {
        let server = try FaultyServer(.isFull)
        let outlet = try SFTPFolder(creating: BytePath("/in/b"), through: server.connect())
        let failure = #expect(throws: Failure.self) { try write([1], to: "data/x", of: outlet) }
        #expect(failure?.errno == ENOSPC)
        #expect(failure?.reason.hasSuffix("the disk there is full, 0 bytes are left") == true)
    }

    @Test("an answer that comes a byte at a time must be whole in time")
    func drips() throws {
        let connection = try FaultyServer(.drips).connect(Patience(each: .milliseconds(400)))
        let failure = #expect(throws: Failure.self) { try connection.makeDirectory([1]) }
        #expect(failure?.reason == "the other end does not answer")
    }

    @Test("once the work is to stop, an answer is not waited for much longer")
    func silent() throws {
        let begun = Deadline.monotonicNow()
        let patience = Patience(each: .seconds(120), grace: .milliseconds(100)) { true }
        let connection = try FaultyServer(.isSilent).connect(patience)
        #expect(throws: Failure.self) { try connection.makeDirectory([1]) }
        #expect(Deadline.monotonicNow() - begun < 30_000_000_000)
    }

    @Test("after an answer to another question no other is believed")
    func beside() throws {
        let server = try FaultyServer(.answersBeside)
        let connection = try server.connect()
        #expect(throws: Failure.self) { try connection.size([1]) }
        let later = #expect(throws: Failure.self) { try connection.makeDirectory([1]) }
        #expect(later?.reason == "an answer out of place")
        let last = #expect(throws: Failure.self) { try connection.remove([1]) }
        #expect(last?.reason == "the connection is lost")
    }

    @Test("a server that stops telling what it has free is still believed, less what was written")
    func room() throws {
        let room = RemoteRoom(of: BytePath("/in"), through: try FaultyServer(.tellsRoomOnce).connect())
        #expect(room.left == FaultyServer.room)
        for _ in 0..<10 { room.spend(2 << 20) }
        #expect(room.left == FaultyServer.room - 20 << 20)
        let honest = RemoteRoom(of: BytePath("/in"), through: try FaultyServer(.none).connect())
        for _ in 0..<9 { honest.spend(1 << 20) }
        #expect(honest.left == FaultyServer.room - 1 << 20, "it was asked again after eight of them")
    }
}

@Suite("standard output as the place of a bundle")
struct StandardOutputTests {
    private func append(_ count: Int, to output: StandardOutput) throws(Failure) {
        let bytes = [UInt8](repeating: 7, count: count)
        try bytes.withUnsafeBufferPointer { buffer throws(Failure) in
            try output.append(UnsafeRawBufferPointer(buffer))
        }
    }

    private func channel(ofSockets: Bool) throws -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue)
        try #require((ofSockets ? socketpair(AF_UNIX, type, 0, &ends) : pipe(&ends)) == 0)
        return (ends[0], ends[1])
    }

    @Test("a reader that takes nothing holds up no capture that is to stop", arguments: [false, true])
    func stalled(ofSockets: Bool) throws {
        let ends = try channel(ofSockets: ofSockets)
        defer { [ends.reader, ends.writer].forEach { close($0) } }
        let output = try StandardOutput(Patience(grace: .milliseconds(100)) { true }, number: ends.writer)
        let failure = #expect(throws: Failure.self) { try append(4 << 20, to: output) }
        #expect(failure?.reason == "its reader takes nothing any more")
        #expect(fcntl(ends.writer, F_GETFL) & O_NONBLOCK == 0, "the description is shared with others")
    }

    @Test("a slow reader gets every byte, also of a standard output that does not wait", arguments: [false, true])
    func slow(ofSockets: Bool) throws {
        for flags in [0, O_NONBLOCK] {
            let ends = try channel(ofSockets: ofSockets)
            _ = fcntl(ends.writer, F_SETFL, fcntl(ends.writer, F_GETFL) | flags)
            let reader = try SlowReader(ends.reader)
            do {
                let output = try StandardOutput(number: ends.writer)
                close(ends.writer)
                try append(3 << 20, to: output)
                #expect(output.room == nil)
            }
            #expect(reader.finish() == 3 << 20)
        }
    }

    @Test("a file has room as its file system has, and loses a seal that does not count")
    func file() throws {
        let number = open("/tmp", 0o20_000_000 | O_DIRECTORY | O_RDWR, 0o600)
        try #require(number >= 0)
        defer { close(number) }
        try #require(write(number, "before", 6) == 6)
        let output = try StandardOutput(number: number)
        try append(5000, to: output)
        #expect(output.room != nil)
        try output.finish()
        #expect(output.giveUp(before: 4096) == .unsealed(StandardOutput.path))
        var status = stat()
        #expect(fstat(number, &status) == 0 && status.st_size == 4096 + 6)
    }
}
