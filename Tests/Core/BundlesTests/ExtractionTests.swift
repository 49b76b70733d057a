import Base
import Bundles
import Glibc
import Sealing
import Testing

@Suite("An archived root comes to disk and nowhere else")
struct ExtractionTests {
    let bench: Workbench
    let key: SigningKey

    init() throws {
        bench = try Workbench()
        key = try SigningKey.generate()
    }

    private func sample() throws -> VerifiedBundle {
        try Samples.write(to: bench("b"), key: key)
        return try verified("b")
    }

    private func verified(_ name: String) throws -> VerifiedBundle {
        try UnverifiedBundle(at: bench(name)).requireConsistent(VerificationPolicy(trusting: [key.verifyingKey]))
    }

    private func facts(_ path: BytePath) -> stat? {
        var facts = stat()
        return path.withCString { lstat($0, &facts) } == 0 ? facts : nil
    }

    @Test("files come with content, bits, times, holes and hard links, and symbolic links as they are")
    func plain() throws {
        let report = try sample().extract(root: "workspace", to: try ExtractionTarget(at: bench("out")))
        let out = bench("out")
        for file in Samples.plain { #expect(try Disk.read(out.appending(file.path)) == file.content, "\(file.path)") }
        let first = try #require(facts(out.appending("sub/noise.bin")))
        let second = try #require(facts(out.appending("sub/second name")))
        #expect(first.st_ino == second.st_ino)
        #expect(first.st_mtim.tv_sec == Int(Samples.modified.seconds))
        #expect(first.st_mtim.tv_nsec == Int(Samples.modified.nanoseconds))
        #expect(facts(out.appending("sub"))?.st_mtim.tv_nsec == Int(Samples.modified.nanoseconds))
        #expect(facts(out.appending("sub"))?.st_mode == S_IFDIR | 0o1777)
        // The target is for who unpacks alone, whatever the root was.
        #expect(facts(out)?.st_mode == S_IFDIR | 0o700)
        let sparse = try #require(facts(out.appending("sparse")))
        #expect(sparse.st_size == 3 << 20)
        #expect(sparse.st_blocks * 512 < 1 << 20)
        var text = [CChar](repeating: 0, count: 64)
        #expect(out.appending("link").withCString { readlink($0, &text, 63) } == "/etc/sha\ndow".utf8.count)
        #expect(report.files == UInt64(Samples.plain.count) + 3)
        #expect(report.hardLinks == 1)
        #expect(report.symlinks == 1)
        #expect(report.failed == 0)
    }

    @Test("setuid bits, attributes, devices, pipes and owners are left out and told, unless they are asked for")
    func dangerous() throws {
        let bundle = try sample()
        let report = try bundle.extract(root: "workspace", to: try ExtractionTarget(at: bench("safe")))
        #expect(facts(bench("safe/sub/noise.bin"))?.st_mode == S_IFREG | 0o755)
        #expect(facts(bench("safe/null")) == nil)
        #expect(facts(bench("safe/pipe")) == nil)
        #expect(facts(bench("safe/notes.txt"))?.st_uid == geteuid())
        #expect(
            Set(report.remarks.map(\.path.description)).isSuperset(of: [
                "sub/noise.bin", "null", "loop", "pipe", "tagged",
            ])
        )
        #expect(report.leftOut == 5)

        guard geteuid() == 0 else { return }
        let all = ExtractionOptions(keepsOwners: true, keepsAttributes: true, makesDevices: true, keepsSetuid: true)
        // A file system in memory keeps no attributes of users.
        let place = BytePath("/var/tmp/quell-extract-\(getpid())")
        defer { Workbench.remove(place) }
        let whole = try bundle.extract(root: "workspace", to: try ExtractionTarget(at: place), all)
        #expect(facts(place.appending("sub/noise.bin"))?.st_mode == S_IFREG | 0o4755)
        #expect(facts(place.appending("notes.txt"))?.st_uid == 1000)
        #expect(facts(place.appending("link"))?.st_uid == 1000)
        #expect(whole.leftOut == 0)
        #expect(whole.remarks.allSatisfy { $0.reason.contains("special file") || $0.reason.contains("attribute") })
    }

    @Test("only what was asked for comes, with the directories above it, and a hard link brings its content along")
    func selection() throws {
        let bundle = try sample()
        let one = ExtractionOptions(paths: [BytePath("sub/second name"), BytePath("nowhere")])
        let report = try bundle.extract(root: "workspace", to: try ExtractionTarget(at: bench("out")), one)
        #expect(try Disk.read(bench("out/sub/second name")) == Samples.noise)
        #expect(Workbench.names(in: bench("out")) == [BytePath("sub")])
        #expect(Workbench.names(in: bench("out/sub")) == [BytePath("second name")])
        #expect(report.unmatched == [BytePath("nowhere")])
    }

    @Test("a target that is not empty, a link and a file are refused, and nothing is overwritten")
    func targets() throws {
        let bundle = try sample()
        try Disk.write([1], to: bench("full/there"))
        #expect { try ExtractionTarget(at: bench("full")) } throws: { ($0 as? Failure)?.code == .refused }
        #expect(bench("full").withCString { old in bench("link").withCString { symlink(old, $0) } } == 0)
        #expect(throws: Failure.self) { try ExtractionTarget(at: bench("link")) }
        #expect(throws: Failure.self) { try ExtractionTarget(at: bench("full/there")) }
        // What appears in the target meanwhile is not touched.
        let target = try ExtractionTarget(at: bench("out"))
        try Disk.write(Array("mine".utf8), to: bench("out/notes.txt"))
        let report = try bundle.extract(root: "workspace", to: target)
        #expect(try Disk.read(bench("out/notes.txt")) == Array("mine".utf8))
        #expect(report.failed == 1)
    }

    @Test("a target is for its owner alone, also one that stood there with other rights")
    func rights() throws {
        let bundle = try sample()
        #expect(bench("open").withCString { mkdir($0, 0o777) } == 0)
        #expect(bench("open").withCString { chmod($0, 0o2777) } == 0)
        let target = try ExtractionTarget(at: bench("open"))
        #expect(facts(bench("open"))?.st_mode == S_IFDIR | 0o700)
        let inner = try bundle.extract(root: "workspace", to: try target.subdirectory(BytePath("workspace")))
        #expect(facts(bench("open"))?.st_mode == S_IFDIR | 0o700)
        #expect(facts(bench("open/workspace"))?.st_mode == S_IFDIR | 0o755)
        #expect(inner.failed == 0)
        guard geteuid() == 0 else { return }
        #expect(bench("theirs").withCString { mkdir($0, 0o755) } == 0)
        #expect(bench("theirs").withCString { chown($0, 1000, 1000) } == 0)
        #expect { try ExtractionTarget(at: bench("theirs")) } throws: { ($0 as? Failure)?.code == .refused }
    }

    @Test("no link that appears in the target leads an entry out of it")
    func escapes() throws {
        let bundle = try sample()
        let target = try ExtractionTarget(at: bench("out"))
        #expect(bench("away").withCString { mkdir($0, 0o700) } == 0)
        #expect(bench("away").withCString { old in bench("out/sub").withCString { symlink(old, $0) } } == 0)
        let report = try bundle.extract(root: "workspace", to: target)
        #expect(Workbench.names(in: bench("away")) == [])
        #expect(report.failed >= 2)
    }

    @Test("an archive whose symbolic link stands before a file below it puts nothing behind the link")
    func linkThenFile() throws {
        let writer = try BundleWriter(creating: bench("odd"), volumeSize: 16 << 10)
        let archive = try writer.archive(root: "workspace")
        try archive.add(Samples.entry(BytePath("."), .directory, mode: 0o755))
        try archive.add(Samples.entry(BytePath("out"), .directory, mode: 0o755))
        try archive.add(Samples.entry(BytePath("out/up"), .symlink(target: BytePath("../../..")), mode: 0o777))
        try Samples.add(Samples.entry(BytePath("x"), .file(size: 1, segments: nil)), [1], to: archive)
        #expect(throws: Failure.self) {
            try archive.add(Samples.entry(BytePath("out/up/passwd"), .file(size: 0, segments: nil)))
        }
        try archive.close()
        _ = try writer.seal(Samples.statement(counts: .init()), with: key)
    }

    @Test("hundreds of directories within one another come to disk")
    func deep() throws {
        let writer = try BundleWriter(creating: bench("deep"), volumeSize: 16 << 10)
        let archive = try writer.archive(root: "workspace")
        try archive.add(Samples.entry(BytePath("."), .directory, mode: 0o755))
        var path = BytePath("")
        for _ in 0..<300 {
            path = path.appending("d")
            try archive.add(Samples.entry(path, .directory, mode: 0o755))
        }
        try Samples.add(Samples.entry(path.appending("f"), .file(size: 1, segments: nil)), [7], to: archive)
        try archive.close()
        try writer.write(PayloadName("data/journal.jsonl"), Array(Samples.journal.utf8))
        _ = try writer.seal(Samples.statement(counts: .init()), with: key)
        let report = try verified("deep").extract(root: "workspace", to: try ExtractionTarget(at: bench("out")))
        #expect(report.directories == 301)
        #expect(report.files == 1)
        #expect(report.failed == 0)
    }

    @Test("payload files come to their own names, and lines are handed over whole")
    func payload() throws {
        let bundle = try sample()
        let target = try ExtractionTarget(at: bench("out"))
        #expect(try bundle.extract(try PayloadName("data/processes.jsonl"), to: target) > 0)
        _ = try bundle.extract(try PayloadName("data/session.json"), to: target)
        #expect(try Disk.read(bench("out/data/processes.jsonl")) == Disk.read(bench("b/data/processes.jsonl")))
        var lines: [String] = []
        try bundle.lines(of: try PayloadName("data/processes.jsonl")) {
            lines.append(String(decoding: $0, as: UTF8.self))
        }
        #expect(lines.count == 2)
        #expect(lines.first?.contains("agent") == true)
    }
}
