import Base
import Bundles
import Glibc
import Programs
import Sealing
import Testing

/// A sealed bundle on disk with its public key beside it.
struct MadeBundle {
    let folder: String
    let directory: String
    let publicKey: String
    let key: SigningKey

    init(
        in folder: String,
        called name: String = "sealed",
        key: SigningKey? = nil,
        session: String = "{}",
        noise: Int = 1000,
        isSigned: Bool = true
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
        _ = try bundle.seal(Self.statement, with: isSigned ? self.key : nil)
    }

    func verified(_ path: String) throws -> VerifiedBundle {
        let policy = VerificationPolicy(trusting: [key.verifyingKey])
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
        publicKey: String? = nil,
        more: [String: String] = [:]
    ) throws -> Program.Result {
        #expect(mkdir("\(folder)/\(work)", 0o700) == 0)
        let lines = (Files.text("\(bundle)/VERIFY.txt") ?? "").split(separator: "\n").filter { $0.hasPrefix("    ") }
        #expect(lines.count > 15)
        var environment = Program.ownEnvironment()
        environment["KEY"] = publicKey ?? self.publicKey
        environment["FINGERPRINT"] = (fingerprint ?? key.verifyingKey.fingerprint).hex
        environment["WORK"] = "\(folder)/\(work)"
        environment.merge(more) { _, new in new }
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
