import Base
import Bundles
import Glibc
import Programs
import Sealing
import Testing

extension SystemTests {
    /// Bundles in the hands of people who have no Quell: only the programs of a stock Debian.
    @Suite(
        "bundles",
        .kernel(
            .root,
            .program("mtree"),
            .program("zstd"),
            .program("bsdtar"),
            .program("openssl"),
            .program("python3")
        )
    )
    struct BundlesSystemTests {
        @Test(
            "the commands of VERIFY.txt succeed on a sealed directory and on a packed bundle unpacked by tar",
            .sandbox
        )
        func stockCommands() throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            defer { made.clean() }
            let direct = try made.runVerifyText(in: made.directory, work: "work-1")
            #expect(direct.status == 0, "\(direct.text) \(direct.errorText)")
            #expect(direct.text.contains("Signature Verified Successfully"))

            let packed = try made.pack()
            let unpacked = "\(made.folder)/unpacked"
            #expect(mkdir(unpacked, 0o700) == 0)
            #expect(try made.sh("tar -xf \(packed) -C \(unpacked)").status == 0)
            let again = try made.runVerifyText(in: "\(unpacked)/stock-1", work: "work-2")
            #expect(again.status == 0, "\(again.text) \(again.errorText)")
        }

        @Test(
            "the commands of VERIFY.txt fail on a changed, a missing and an added file",
            .sandbox,
            arguments: [
                "printf x >> data/session.json", "rm data/session.json", "touch data/extra", "rm SUMMARY.txt",
                "sed -i s/stock-1/stock-2/ SUMMARY.txt", "ln -s /etc/passwd data/link",
                "sed -i s/sig/gis/ seal.dsse.json",
                "sed -i 's/^{/{\"payload\":\"\",/' seal.dsse.json",
            ]
        )
        func tampered(command: String) throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            defer { made.clean() }
            #expect(try made.sh("cd \(made.directory) && \(command)").status == 0)
            #expect(try made.runVerifyText(in: made.directory, work: "work").status != 0)
        }

        @Test(
            "RT19 a forgery sealed with a key of its own fails its own VERIFY.txt against the outside fingerprint",
            .sandbox
        )
        func selfKeyed() throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            defer { made.clean() }
            let stranger = try SigningKey.generate()
            let forged = try MadeBundle(
                in: made.folder,
                called: "forged",
                key: stranger,
                session: "{\"innocent\":true}"
            )
            let own = try forged.runVerifyText(in: forged.directory, work: "work-own")
            #expect(own.status == 0, "with the forger's own fingerprint everything agrees: \(own.errorText)")
            let outside = try forged.runVerifyText(
                in: forged.directory,
                work: "work-outside",
                fingerprint: made.key.verifyingKey.fingerprint
            )
            #expect(outside.status != 0)
            let teamKey = try forged.runVerifyText(in: forged.directory, work: "work-team", publicKey: made.publicKey)
            #expect(teamKey.status != 0)
        }

        @Test("bagit.py finds the bag valid, and invalid after a change", .kernel(.bagit), .sandbox)
        func bagit() throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            let validate = Program(Program.ownEnvironment()["QUELL_BAGIT"] ?? "", ["--validate", made.directory])
            let valid = try validate.run()
            #expect(valid.status == 0, "\(valid.errorText)")
            #expect(try made.sh("printf x >> \(made.directory)/data/session.json").status == 0)
            #expect(try validate.run().status != 0)
        }

        @Test("RT18 Quell, GNU tar, bsdtar and Python list the same members of a packed bundle", .sandbox)
        func sameMembers() throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            let packed = try made.pack()
            let bundle = try made.verified(packed)
            let tags = [
                "SUMMARY.txt", "VERIFY.txt", "bag-info.txt", "bagit.txt", "manifest-sha256.txt", "seal.dsse.json",
            ]
            let expected = (bundle.payload.map(\.name.text) + tags + ["tagmanifest-sha256.txt"]).map { "stock-1/\($0)" }
                .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            let script = "import sys, tarfile\nfor m in tarfile.open(sys.argv[1]): print(m.name, flush=True)"
            let listings = [
                try made.sh("tar -tf \(packed)"), try made.sh("bsdtar -tf \(packed)"),
                try Program(Program.find("python3") ?? "", ["-c", script, packed]).run(),
            ]
            for listing in listings {
                #expect(listing.status == 0, "\(listing.errorText)")
                #expect(listing.errorText.isEmpty)
                #expect(listing.text.split(separator: "\n").map(String.init) == expected)
            }
        }

        @Test("an archive of more than 64 MiB is cut into volumes that cat, zstd and tar read", .sandbox)
        func volumes() throws {
            let folder = try Sandbox.of().folder
            let size = 70 << 20
            let made = try MadeBundle(in: folder, noise: size)
            let names = try made.verified(made.directory).payload.map(\.name.text).filter { $0.contains(".pax.zst.") }
            #expect(names == ["data/files/workspace.pax.zst.000", "data/files/workspace.pax.zst.001"])
            let whole = try made.sh(
                "cd \(made.directory) && cat data/files/workspace.pax.zst.* | zstd -q -d | tar -xO ./noise | wc -c"
            )
            #expect(whole.text == "\(size)\n")
        }

        @Test("mtree names the file of an unpacked archive that was changed", .sandbox)
        func mtreeFindsChange() throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            defer { made.clean() }
            #expect(try made.runVerifyText(in: made.directory, work: "work").status == 0)
            let root = "\(made.folder)/work/workspace"
            let check = "mtree -f \(made.directory)/data/files/workspace.mtree -p \(root)"
            #expect(try made.sh(check).text.isEmpty)
            #expect(try made.sh("printf x >> \(root)/plain.txt").status == 0)
            let changed = try made.sh(check)
            #expect(changed.status == 2)
            #expect(changed.text.contains("plain.txt"))
        }
    }
}

/// A sealed bundle on disk with its public key beside it.
private struct MadeBundle {
    let folder: String
    let directory: String
    let publicKey: String
    let key: SigningKey

    init(
        in folder: String,
        called name: String = "sealed",
        key: SigningKey? = nil,
        session: String = "{}",
        noise: Int = 1000
    ) throws {
        self.folder = folder
        self.key = try key ?? SigningKey.generate()
        directory = "\(folder)/\(name)"
        publicKey = "\(folder)/\(name).pub.pem"
        try self.key.verifyingKey.save(to: BytePath(publicKey))
        let bundle = try BundleWriter(creating: BytePath(directory))
        try bundle.write(PayloadName("data/session.json"), Array(session.utf8))
        let archive = try bundle.archive(root: "workspace")
        try Self.fill(archive, noise: noise)
        try archive.close()
        _ = try bundle.seal(Self.statement, with: self.key)
    }

    func verified(_ path: String) throws -> VerifiedBundle {
        let policy = VerificationPolicy(trusting: [key.verifyingKey], fingerprint: key.verifyingKey.fingerprint)
        switch try UnverifiedBundle(at: BytePath(path)).verify(policy) {
        case .consistent(let bundle): return bundle
        case .wrong(let finding): throw finding
        }
    }

    func pack() throws -> String {
        let target = "\(folder)/stock-1.quell.tar"
        try BundlePacker.pack(try verified(directory), to: BytePath(target))
        return target
    }

    /// Takes away what was unpacked: its names are odder than the sandbox's own broom is used to.
    func clean() {
        let result = try? sh("rm -rf \(folder)/work*")
        #expect(result?.status == 0)
    }

    func sh(_ script: String) throws -> Program.Result {
        try Program("/bin/sh", ["-euc", script]).run(within: .seconds(60))
    }

    /// Runs every indented line of the bundle's own VERIFY.txt, in order, until one fails.
    func runVerifyText(
        in bundle: String,
        work: String,
        fingerprint: Digest? = nil,
        publicKey: String? = nil
    ) throws -> Program.Result {
        #expect(mkdir("\(folder)/\(work)", 0o700) == 0)
        let lines = (Files.text("\(bundle)/VERIFY.txt") ?? "").split(separator: "\n").filter { $0.hasPrefix("    ") }
        #expect(lines.count > 15)
        var environment = Program.ownEnvironment()
        environment["KEY"] = publicKey ?? self.publicKey
        environment["FINGERPRINT"] = (fingerprint ?? key.verifyingKey.fingerprint).hex
        environment["WORK"] = "\(folder)/\(work)"
        let script = lines.joined(separator: "\n")
        return try Program("/bin/sh", ["-euc", script], environment: environment, directory: bundle)
            .run(within: .seconds(60))
    }

    private static let statement = SealStatement(
        name: "stock-1",
        caseID: "stock",
        number: 1,
        purpose: .incident,
        locator: "pid:1",
        pins: [],
        freeze: nil,
        counts: .init(),
        checkpoint: nil,
        authority: nil,
        tool: .init(version: "0", digest: nil),
        responder: "tests",
        host: "here",
        began: Instant(seconds: 1_795_358_801),
        sealed: Instant(seconds: 1_795_358_861)
    )

    private static func entry(
        _ path: [UInt8],
        _ kind: ArchiveEntry.Kind,
        mode: UInt32 = 0o644,
        links: UInt64 = 1,
        seconds: Int64 = 1_795_358_793
    ) -> ArchiveEntry {
        ArchiveEntry(
            path: BytePath(path),
            kind: kind,
            mode: mode,
            uid: 1234,
            gid: 5678,
            modified: FileTime(seconds: seconds, nanoseconds: 67_303_521),
            links: links
        )
    }

    private static func fill(_ archive: ArchiveWriter, noise: Int) throws {
        try archive.add(entry([0x2E], .directory, mode: 0o755))
        let longest = [UInt8](repeating: UInt8(ascii: "n"), count: 255)
        let names: [[UInt8]] = [
            Array("plain.txt".utf8), Array("new\nline".utf8), Array("-rf".utf8), Array("tab\t space".utf8),
            Array("back\\slash".utf8), Array("#hash * ? [x] a=b".utf8), Array("$(touch x) `y` ;'\"".utf8),
            Array("caf\u{E9}\u{202E}".utf8), [0xFF, 0xFE, 0x80], longest, Array("%0A".utf8), Array("..data".utf8),
        ]
        for name in names {
            try archive.begin(entry(name, .file(size: 6, segments: nil)))
            try archive.append(Array("hello\n".utf8))
            try archive.endEntry()
        }
        try archive.begin(entry(Array("noise".utf8), .file(size: UInt64(noise), segments: nil)))
        let source = open("/dev/urandom", O_RDONLY | O_CLOEXEC)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var rest = noise
        while rest > 0 {
            let count = read(source, &buffer, min(rest, buffer.count))
            guard count > 0 else { break }
            try archive.append(Array(buffer[..<count]))
            rest -= count
        }
        close(source)
        try archive.endEntry()
        try archive.begin(
            entry(Array("old setuid".utf8), .file(size: 0, segments: nil), mode: 0o4755, seconds: -315_619_200)
        )
        try archive.endEntry()
        try archive.begin(entry(Array("first".utf8), .file(size: 3, segments: nil), links: 2))
        try archive.append(Array("one".utf8))
        let first = try archive.endEntry()
        let link = ArchiveEntry.Kind.hardLink(original: BytePath("first"), size: 3, digest: first.digest)
        try archive.add(entry(Array("second".utf8), link, links: 2))
        // Two stretches, of which the first fills no whole block: GNU tar and libarchive read those differently.
        let stretches = [
            ArchiveEntry.Segment(offset: 1 << 20, length: 4), ArchiveEntry.Segment(offset: 3 << 19, length: 4),
        ]
        try archive.begin(entry(Array("sparse".utf8), .file(size: 2 << 20, segments: stretches)))
        try archive.skipHole(1 << 20)
        for _ in 0..<2 {
            try archive.append(Array("data".utf8))
            try archive.skipHole((1 << 19) - 4)
        }
        try archive.endEntry()
        try archive.add(entry(Array("hole".utf8), .file(size: 1 << 40, segments: [])))
        try archive.add(entry(Array("link".utf8), .symlink(target: BytePath("/etc/sha\ndow \\x")), mode: 0o777))
        try archive.add(entry(Array("pipe".utf8), .fifo))
        try archive.add(entry(Array("null".utf8), .character(major: 1, minor: 3), mode: 0o666))
        try archive.add(entry(Array("loop".utf8), .block(major: 7, minor: 200), mode: 0o660))
        try archive.add(entry(Array("sock".utf8), .socket))
        try archive.add(entry(Array("dir".utf8), .directory, mode: 0o1777))
        try archive.add(entry(Array("dir/\u{1}".utf8), .directory, mode: 0o700))
    }
}
