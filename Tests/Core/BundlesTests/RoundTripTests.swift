import Base
import Bundles
import Glibc
import Sealing
import Testing

@Suite("A bundle comes back as it was written")
struct RoundTripTests {
    let bench: Workbench
    let key: SigningKey
    let policy: VerificationPolicy

    init() throws {
        bench = try Workbench()
        key = try SigningKey.generate()
        policy = VerificationPolicy(trusting: [key.verifyingKey], fingerprint: key.verifyingKey.fingerprint)
    }

    @Test("a sealed directory verifies, packs and verifies again with the same digest")
    func directoryAndPacked() throws {
        let sealed = try Samples.write(to: bench("b"), key: key)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        #expect(bundle.root == sealed.root)
        #expect(bundle.statement == Samples.statement())
        #expect(bundle.signer == .trusted(fingerprint: key.verifyingKey.fingerprint))
        #expect(bundle.outcome == .done)
        #expect(bundle.roots == ["workspace"])
        #expect(bundle.payload.count == sealed.payloadFiles)

        let size = try BundlePacker.pack(bundle, to: bench("b.quell.tar"))
        #expect(try Disk.read(bench("b.quell.tar")).count == Int(size))
        let packed = try UnverifiedBundle(at: bench("b.quell.tar")).requireConsistent(policy)
        #expect(packed.root == sealed.root)
        #expect(packed.payload == bundle.payload)
    }

    @Test("packing twice gives the same bytes, from the directory and from the packed bundle")
    func packingIsDeterministic() throws {
        try Samples.write(to: bench("b"), key: key)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        try BundlePacker.pack(bundle, to: bench("1.quell.tar"))
        try BundlePacker.pack(bundle, to: bench("2.quell.tar"))
        let packed = try UnverifiedBundle(at: bench("1.quell.tar")).requireConsistent(policy)
        try BundlePacker.pack(packed, to: bench("3.quell.tar"))
        let first = try Disk.read(bench("1.quell.tar"))
        #expect(try Disk.read(bench("2.quell.tar")) == first)
        #expect(try Disk.read(bench("3.quell.tar")) == first)
    }

    @Test("packing never overwrites a file")
    func packingIsExclusive() throws {
        try Samples.write(to: bench("b"), key: key)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        try Disk.write([1], to: bench("there"))
        #expect { try BundlePacker.pack(bundle, to: bench("there")) } throws: { ($0 as? Failure)?.errno == EEXIST }
        #expect(try Disk.read(bench("there")) == [1])
    }

    @Test("every entry of an archive comes back with its name, kind, times, owner, attributes and content")
    func entries() throws {
        try Samples.write(to: bench("b"), key: key)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        var entries: [BytePath: ArchiveEntry] = [:]
        var contents: [BytePath: [UInt8]] = [:]
        try bundle.walk(root: "workspace") { entry, content throws(Failure) in
            entries[entry.path] = entry
            if case .file = entry.kind { contents[entry.path] = try content.bytes() }
        }
        for file in Samples.plain {
            #expect(contents[file.path] == file.content, "\(file.path)")
            #expect(entries[file.path]?.modified == Samples.modified)
            #expect(entries[file.path]?.uid == 1000)
        }
        #expect(entries.count == Samples.plain.count + 10)
        #expect(contents[BytePath("sub/noise.bin")] == Samples.noise)
        #expect(entries[BytePath("sub/noise.bin")]?.mode == 0o4755)
        #expect(entries[BytePath("sub/noise.bin")]?.links == 2)
        let original = BytePath("sub/noise.bin")
        let size = UInt64(Samples.noise.count)
        let second = entries[BytePath("sub/second name")]
        #expect(second?.kind == .hardLink(original: original, size: size, digest: nil))
        #expect(entries[BytePath("link")]?.kind == .symlink(target: BytePath("/etc/sha\ndow")))
        #expect(entries[BytePath("pipe")]?.kind == .fifo)
        #expect(entries[BytePath("null")]?.kind == .character(major: 1, minor: 3))
        #expect(entries[BytePath("loop")]?.kind == .block(major: 7, minor: 1))
        #expect(entries[BytePath("sub")]?.mode == 0o1777)
        #expect(entries[BytePath("tagged")]?.attributes.first?.value == [0, 1, 0xFF, 10])
        #expect(entries[BytePath("tagged")]?.attributes.first?.name == BytePath("user.origin"))
        #expect(entries[BytePath("sock")] == nil)
        #expect(entries[BytePath("elsewhere")] == nil)
        let sparse = try #require(contents[BytePath("sparse")])
        #expect(sparse.count == (2 << 20) + 512)
        #expect(Array(sparse[(1 << 20)..<(1 << 20) + 4]) == Array("data".utf8))
        let segments: [ArchiveEntry.Segment] = [
            .init(offset: 1 << 20, length: 512), .init(offset: 2 << 20, length: 512),
        ]
        #expect(entries[BytePath("sparse")]?.kind == .file(size: 3 << 20, segments: segments))
    }

    @Test("a file, a sparse file and a hard link are extracted in full")
    func extraction() throws {
        try Samples.write(to: bench("b"), key: key)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        func extract(_ path: String) throws -> [UInt8] {
            let target = bench("out-\(path.utf8.count)")
            try Disk.write([], to: target)
            let descriptor = target.withCString { open($0, O_WRONLY | O_CLOEXEC) }
            defer { close(descriptor) }
            let size = try bundle.extract(BytePath(path), of: "workspace", to: descriptor)
            let bytes = try Disk.read(target)
            #expect(bytes.count == Int(size))
            return bytes
        }
        #expect(try extract("notes.txt") == Array("only listed files\n".utf8))
        #expect(try extract("sub/second name") == Samples.noise)
        let sparse = try extract("sparse")
        #expect(sparse.count == 3 << 20)
        #expect(Array(sparse[(2 << 20)..<(2 << 20) + 4]) == Array("more".utf8))
        #expect { try extract("pipe") } throws: { ($0 as? Failure)?.code == .refused }
        #expect { try extract("nowhere") } throws: { ($0 as? Failure)?.code == .notFound }
    }

    @Test("payload is read back, bounded, and a file that changed after the verification is refused")
    func payloadBytes() throws {
        try Samples.write(to: bench("b"), key: key)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        let name = try PayloadName("data/session.json")
        #expect(try bundle.bytes(of: name) == Array("{\"locator\":\"cgroup:/agents/a7\"}\n".utf8))
        #expect { try bundle.bytes(of: name, limit: 4) } throws: { ($0 as? Failure)?.code == .refused }
        #expect { try bundle.bytes(of: try PayloadName("data/none")) } throws: { ($0 as? Failure)?.code == .notFound }
        try Disk.write(Array("{\"locator\":\"cgroup:/agents/a8\"}\n".utf8), to: bench("b/data/session.json"))
        #expect { try bundle.bytes(of: name) } throws: { ($0 as? Failure)?.code == .notVerified }
        try Disk.write([], to: bench("b/data/session.json"))
        #expect { try bundle.bytes(of: name) } throws: { ($0 as? Failure)?.code == .notVerified }
    }

    @Test("a bundle is written with mode 0700 and 0600 and never over another")
    func modes() throws {
        try Samples.write(to: bench("b"), key: key)
        for (name, mode) in [("b", S_IFDIR | 0o700), ("b/data", S_IFDIR | 0o700), ("b/bagit.txt", S_IFREG | 0o600)] {
            var status = stat()
            _ = bench(name).withCString { lstat($0, &status) }
            #expect(status.st_mode == mode, "\(name)")
        }
        #expect { try BundleWriter(creating: bench("b")) } throws: { ($0 as? Failure)?.errno == EEXIST }
    }

    @Test("a volume is a plain cut of one zstd stream")
    func volumes() throws {
        try Samples.write(to: bench("small"), key: key, volumeSize: 4096)
        try Samples.write(to: bench("large"), key: key, volumeSize: 1 << 20)
        let small = try Disk.tree(bench("small/data/files"))
        let large = try Disk.tree(bench("large/data/files"))
        let volumes = small.keys.filter { $0.hasPrefix("workspace.pax.zst.") }.sorted()
        #expect(volumes.count > 9)
        #expect(volumes.first == "workspace.pax.zst.000")
        #expect(volumes.dropLast().allSatisfy { small[$0]?.count == 4096 })
        #expect(Array(volumes.compactMap { small[$0] }.joined()) == large["workspace.pax.zst.000"])
        #expect(large.count == 2)
        _ = try UnverifiedBundle(at: bench("small")).requireConsistent(policy)
    }
}
