import Base
import Glibc
import Sealing
import Testing

@testable import Bundles

@Suite("a bundle that leaves while it is made")
struct StreamedBundleTests {
    private let bench: Workbench
    private let key: SigningKey
    private var policy: VerificationPolicy { VerificationPolicy(trusting: [key.verifyingKey]) }

    init() throws {
        bench = try Workbench()
        key = try SigningKey.generate()
        _ = bench("spool").withCString { mkdir($0, 0o700) }
    }

    /// The sample as one stream into a new file.
    private func stream(to name: String) throws -> SealedBundle {
        let sink = try TarFileSink(creating: bench(name))
        let outlet = TarOutlet("amber-7f3a-1", at: bench(name), into: sink, spool: bench("spool"))
        return try Samples.write(into: try BundleWriter(to: outlet, volumeSize: 16 << 10), key: key)
    }

    /// The members of a tar of plain files, in their order.
    private func members(of bytes: [UInt8]) -> [(name: String, content: [UInt8])] {
        var members: [(String, [UInt8])] = []
        var rest = bytes[...]
        while let header = Array(rest.prefix(512)).withUnsafeBytes({ UstarHeader($0) }) {
            members.append((header.name, Array(rest.dropFirst(512).prefix(Int(header.size)))))
            rest = rest.dropFirst(512 + Int(header.size) + UstarHeader.padding(after: header.size))
        }
        return members
    }

    @Test("one stream verifies, packs to the bytes of the same bundle in a directory, and leaves nothing in the spool")
    func whole() throws {
        let sealed = try stream(to: "streamed.quell.tar")
        let bundle = try UnverifiedBundle(at: bench("streamed.quell.tar")).requireConsistent(policy)
        #expect(bundle.signer.isTrusted && bundle.root == sealed.root)
        try UnverifiedBundle(at: bench("streamed.quell.tar")).readBack(sealedAs: sealed.root, policy)
        #expect(Workbench.names(in: bench("spool")).isEmpty)
        let names = members(of: try Disk.read(bench("streamed.quell.tar"))).map(\.name)
        #expect(names.last == "seal.dsse.json" && names.dropLast().last == "tagmanifest-sha256.txt")
        try BundlePacker.pack(bundle, to: bench("packed"))
        try Samples.write(to: bench("directory"), key: key)
        let other = try UnverifiedBundle(at: bench("directory")).requireConsistent(policy)
        #expect(other.root == sealed.root)
        try BundlePacker.pack(other, to: bench("other"))
        #expect(try Disk.read(bench("packed")) == Disk.read(bench("other")))
    }

    @Test("RT18 a stream has payload, tag files and the seal in this order, each once, and nothing behind")
    func order() throws {
        _ = try stream(to: "honest")
        let honest = members(of: try Disk.read(bench("honest")))
        try #require(honest.count > 10)
        func finding(_ edit: (inout [(name: String, content: [UInt8])]) -> Void) throws -> VerificationFinding? {
            var members = honest
            edit(&members)
            try Disk.write(Forger.tar(members), to: bench("frame"))
            return try UnverifiedBundle(at: bench("frame")).finding(policy)
        }
        #expect(try finding { _ in } == nil)
        #expect(try finding { $0.swapAt(0, 1) } == nil, "the order of the payload says nothing")
        let last = honest.count - 1
        let edits: [(String, (inout [(name: String, content: [UInt8])]) -> Void)] = [
            ("the seal first", { $0.insert($0.removeLast(), at: 0) }),
            ("the seal before the tag manifest", { $0.swapAt(last, last - 1) }),
            ("no seal", { $0.removeLast() }),
            ("a payload file behind the seal", { $0.append($0.removeFirst()) }),
            ("a tag file among the payload", { $0.swapAt(0, last - 2) }),
            ("tag files in another order", { $0.swapAt(last - 2, last - 3) }),
            ("a payload file twice", { $0.insert($0[0], at: 3) }),
            ("the seal twice", { $0.append($0[last]) }),
            ("a timestamp query", { $0.append(("seal.tsq", [])) }),
            ("another file", { $0.insert(("notes.txt", []), at: 0) }),
        ]
        for (name, edit) in edits { #expect(try finding(edit)?.check == .packing, "\(name)") }
        var bytes = try Disk.read(bench("honest"))
        bytes += [UInt8](repeating: 0, count: 512)
        try Disk.write(bytes, to: bench("frame"))
        #expect(try UnverifiedBundle(at: bench("frame")).finding(policy)?.check == .packing)
    }

    @Test("a stream that was cut anywhere is no bundle")
    func cut() throws {
        _ = try stream(to: "honest")
        let bytes = try Disk.read(bench("honest"))
        for count in stride(from: 0, to: bytes.count, by: 4096 + 512) {
            try Disk.write(Array(bytes.prefix(count)), to: bench("cut"))
            #expect(try UnverifiedBundle(at: bench("cut")).finding(policy)?.check == .packing, "\(count)")
        }
    }

    @Test("a sink that takes no more ends the bundle, and what it took has no seal", arguments: [0, 700, 30_000])
    func failing(after bytes: Int) throws {
        let sink = FailingSink(after: bytes)
        let outlet = TarOutlet("amber-7f3a-1", at: bench("pipe"), into: sink, spool: bench("spool"))
        let writer = try BundleWriter(to: outlet, volumeSize: 16 << 10)
        #expect { try Samples.write(into: writer, key: key) } throws: { ($0 as? Failure)?.errno == EPIPE }
        let remains = outlet.abandon()
        #expect(remains.words.hasSuffix("went there without a seal"))
        #expect(!sink.names.contains("seal.dsse.json"))
        // Nothing follows a member that was cut.
        #expect(throws: Failure.self) {
            try writer.outlet.begin("data/later").close()
        }
    }

    @Test("a file that was given up has no name but one that says so")
    func givenUp() throws {
        let sink = try TarFileSink(creating: bench("file"))
        let outlet = TarOutlet("amber-7f3a-1", at: bench("file"), into: sink, spool: bench("spool"))
        let writer = try BundleWriter(to: outlet)
        try writer.write(PayloadName("data/session.json"), Array("{}".utf8))
        let remains = outlet.abandon()
        #expect(remains.place == BytePath(bench("file").bytes + Array(".unsealed".utf8)))
        #expect(remains.words.hasPrefix("1 whole file, 1024 bytes"))
        #expect(Workbench.names(in: bench.path).map(\.description) == ["file.unsealed", "spool"])
        #expect(try UnverifiedBundle(at: remains.place).finding(policy)?.check == .packing)
    }

    @Test("a file whose name was taken meanwhile keeps all but its seal, under another name")
    func nameTaken() throws {
        let sink = try TarFileSink(creating: bench("file"))
        let outlet = TarOutlet("amber-7f3a-1", at: bench("file"), into: sink, spool: bench("spool"))
        let writer = try BundleWriter(to: outlet, volumeSize: 16 << 10)
        try Disk.write([1], to: bench("file"))
        #expect { try Samples.write(into: writer, key: key) } throws: { ($0 as? Failure)?.errno == EEXIST }
        let remains = outlet.abandon()
        #expect(remains.place == bench("file.unsealed") && remains.words.hasSuffix("went there without a seal"))
        #expect(try Disk.read(bench("file")) == [1])
        let kept = members(of: try Disk.read(remains.place))
        #expect(kept.last?.name == "tagmanifest-sha256.txt")
        #expect(remains.words.hasPrefix("\(kept.count) whole files, \(try Disk.read(remains.place).count) bytes"))
        #expect(try UnverifiedBundle(at: remains.place).finding(policy)?.check == .packing)
    }

    @Test("what was given up takes a number when its name is taken, and says so when nothing of it could be kept")
    func givenUpTwice() throws {
        _ = bench("gone").withCString { mkdir($0, 0o700) }
        for (name, kept) in [("file", "file.unsealed.2"), ("gone/file", nil)] {
            let sink = try TarFileSink(creating: bench(name))
            let outlet = TarOutlet("amber-7f3a-1", at: bench(name), into: sink, spool: bench("spool"))
            let writer = try BundleWriter(to: outlet)
            try writer.write(PayloadName("data/session.json"), Array("{}".utf8))
            try Disk.write([1], to: bench("file.unsealed"))
            if kept == nil { _ = bench("gone").withCString { rmdir($0) } }
            let remains = outlet.abandon()
            #expect(remains.place == bench(kept ?? name))
            let lost = "nothing of it could be kept: "
            #expect(remains.words.hasPrefix(kept == nil ? lost : "1 whole file, 1024 bytes"), "\(remains.words)")
            #expect(try Disk.read(bench("file.unsealed")) == [1])
        }
    }

    @Test("what waits in the spool takes room where it goes as well, until it is there")
    func waiting() throws {
        let sink = FailingSink(after: .max, room: 1 << 20)
        let outlet = TarOutlet("amber-7f3a-1", at: bench("pipe"), into: sink, spool: bench("spool"))
        let list = try outlet.begin("data/list")
        let bytes = [UInt8](repeating: 7, count: 300_000)
        try bytes.withRawBytes { buffer throws(Failure) in try list.append(buffer) }
        #expect(outlet.room == (1 << 20) - 300_000)
        try list.close()
        #expect(outlet.room == 1 << 20)
        var dropped: (any OutletFile)? = try outlet.begin("data/other")
        try bytes.withRawBytes { buffer throws(Failure) in try dropped?.append(buffer) }
        #expect(outlet.room == (1 << 20) - 300_000)
        dropped = nil
        #expect(outlet.room == 1 << 20)
    }

    @Test("a file system that counts no blocks does not say what it has, and one that is vast is not full")
    func room() {
        #expect(FreeRoom.bytes(free: 0, of: 0, size: 4096) == nil)
        #expect(FreeRoom.bytes(free: 0, of: 9, size: 4096) == 0)
        #expect(FreeRoom.bytes(free: 1 << 60, of: 1 << 61, size: 4096) == .max)
        #expect(FreeRoom.of(folder: bench("nowhere")) == nil)
    }

    @Test("a directory that was given up has neither its name nor a seal")
    func givenUpDirectory() throws {
        let outlet = try DirectoryOutlet(creating: bench("b"))
        try outlet.begin("seal.dsse.json").close()
        let remains = outlet.abandon()
        #expect(remains.place == bench("b.unsealed"))
        #expect(Workbench.names(in: bench.path).map(\.description) == ["b.unsealed", "spool"])
        #expect(Workbench.names(in: bench("b.unsealed")).isEmpty)
    }
}

/// Takes so many bytes, then says that its reader is gone.
private final class FailingSink: TarOutlet.Sink, @unchecked Sendable {
    let room: UInt64?
    private let limit: Int
    private var bytes: [UInt8] = []

    init(after limit: Int, room: UInt64? = nil) {
        self.limit = limit
        self.room = room
    }

    /// The names of the members that began.
    var names: [String] {
        stride(from: 0, to: bytes.count, by: 512).compactMap { start in
            let block = Array(bytes[start..<min(start + 512, bytes.count)])
            return block.withUnsafeBytes { UstarHeader($0) }?.name
        }
    }

    func append(_ more: UnsafeRawBufferPointer) throws(Failure) {
        guard bytes.count + more.count <= limit else { throw Failure(errno: EPIPE, "write", on: BytePath("a pipe")) }
        bytes += more
    }

    func finish() throws(Failure) {}
    func giveUp(before seal: UInt64?) -> TarOutlet.Remains { .unsealed(BytePath("a pipe")) }
}
