import Base
import Bundles
import Sealing
import Testing

@Suite("Archiving a root")
struct ArchiveWriterTests {
    let bench: Workbench
    let bundle: BundleWriter
    let archive: ArchiveWriter

    init() throws {
        bench = try Workbench()
        bundle = try BundleWriter(creating: bench("b"))
        archive = try bundle.archive(root: "workspace")
        try archive.add(Samples.entry(BytePath("."), .directory))
    }

    /// Closes, seals unsigned, and gives the verified bundle with the lines of the mtree.
    func finish() throws -> (bundle: VerifiedBundle, mtree: [String]) {
        try archive.close()
        _ = try bundle.seal(Samples.statementWithoutItems, with: nil)
        let verified = try UnverifiedBundle(at: bench("b")).requireConsistent(.init(trusting: []))
        let text = try verified.bytes(of: try PayloadName("data/files/workspace.mtree"))
        return (verified, String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init))
    }

    @Test("a file that shrank while it was read is padded with zeros and told as torn")
    func shrunk() throws {
        try archive.begin(Samples.entry(BytePath("f"), .file(size: 10, segments: nil)))
        try archive.append(Array("abc".utf8))
        let receipt = try archive.endEntry()
        #expect(receipt.missing == 7)
        #expect(receipt.isTorn)
        #expect(receipt.digest == SHA256.digest(of: Array("abc".utf8) + [UInt8](repeating: 0, count: 7)))
        _ = try finish()
    }

    @Test("a file that grew while it was read is cut at the size of its header and told as torn")
    func grown() throws {
        try archive.begin(Samples.entry(BytePath("f"), .file(size: 3, segments: nil)))
        try archive.append(Array("abcdef".utf8))
        try archive.append(Array("gh".utf8))
        let receipt = try archive.endEntry()
        #expect(receipt.excess == 5)
        #expect(receipt.digest == SHA256.digest(of: Array("abc".utf8)))
        _ = try finish()
    }

    @Test("an entry without content takes none")
    func noContent() throws {
        try archive.begin(Samples.entry(BytePath("p"), .fifo))
        try archive.append(Array("poison".utf8))
        let receipt = try archive.endEntry()
        #expect(receipt.excess == 6)
        #expect(receipt.digest == nil)
        _ = try finish()
    }

    @Test("a sparse file of 1 TiB costs nothing and its digest covers the stretches of data")
    func sparse() throws {
        let size: UInt64 = 1 << 40
        let entry = Samples.entry(
            BytePath("huge"),
            .file(size: size, segments: [.init(offset: size / 2, length: 4)])
        )
        try archive.begin(entry)
        try archive.skipHole(size / 2)
        try archive.append(Array("data".utf8))
        try archive.skipHole(size / 2 - 4)
        let receipt = try archive.endEntry()
        #expect(receipt.digestScope == .segments)
        #expect(!receipt.isTorn)
        let place: [UInt8] = [0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]
        let block = Array("data".utf8) + [UInt8](repeating: 0, count: 508)
        #expect(receipt.digest == SHA256.digest(of: place + block))

        try archive.begin(Samples.entry(BytePath("hole"), .file(size: size, segments: [])))
        try archive.skipHole(size)
        #expect(try archive.endEntry().digestScope == .segments)
        let (verified, mtree) = try finish()
        #expect(mtree.contains { $0.hasPrefix("./huge type=file") && !$0.contains("sha256") })
        #expect(verified.payload.reduce(0) { $0 + $1.size } < 20_000)
    }

    @Test("a small sparse file has the digest that sha256sum prints")
    func smallSparse() throws {
        let segments: [ArchiveEntry.Segment] = [.init(offset: 4096, length: 1)]
        try archive.begin(Samples.entry(BytePath("s"), .file(size: 8192, segments: segments)))
        try archive.skipHole(4096)
        try archive.append([7])
        try archive.skipHole(4095)
        let receipt = try archive.endEntry()
        var whole = [UInt8](repeating: 0, count: 8192)
        whole[4096] = 7
        #expect(receipt.digest == SHA256.digest(of: whole))
        #expect(receipt.digestScope == .content)
        _ = try finish()
    }

    @Test("stretches of data are widened to whole blocks, and those that share one are joined")
    func wholeBlocks() throws {
        let raw: [ArchiveEntry.Segment] = [
            .init(offset: 700, length: 4), .init(offset: 1000, length: 4), .init(offset: 3000, length: 1),
            .init(offset: 8190, length: 3),
        ]
        try archive.begin(Samples.entry(BytePath("s"), .file(size: 8193, segments: raw)))
        try archive.skipHole(8193)
        #expect(try !archive.endEntry().isTorn)
        var kind: ArchiveEntry.Kind?
        try finish().bundle.walk(root: "workspace") { entry, _ in if entry.path == BytePath("s") { kind = entry.kind } }
        let wide: [ArchiveEntry.Segment] = [
            .init(offset: 512, length: 512), .init(offset: 2560, length: 512), .init(offset: 7680, length: 513),
        ]
        #expect(kind == .file(size: 8193, segments: wide))
    }

    @Test("more stretches of data than a header holds are joined and nothing is lost")
    func manySegments() throws {
        let count: UInt64 = 70_000
        let segments = (0..<count).map { ArchiveEntry.Segment(offset: $0 * 1024, length: 1) }
        try archive.begin(Samples.entry(BytePath("comb"), .file(size: count * 1024, segments: segments)))
        for _ in 0..<count {
            try archive.append([1])
            try archive.skipHole(1023)
        }
        let receipt = try archive.endEntry()
        #expect(!receipt.isTorn)
        let (verified, _) = try finish()
        var ones = 0
        try verified.walk(root: "workspace") { entry, content throws(Failure) in
            try content.read { offset, bytes in
                let first = (1024 - Int(offset % 1024)) % 1024
                ones += stride(from: first, to: bytes.count, by: 1024).count { bytes[$0] == 1 }
            }
        }
        #expect(ones == Int(count))
    }

    @Test("what has no place is refused and the writer goes on")
    func refusals() throws {
        try archive.add(Samples.entry(BytePath("d"), .directory))
        let size = ArchiveEntry.Kind.file(size: 0, segments: nil)
        for path in ["", "a//b", "../up", "d/../x", "/absolute", "d/", "nowhere/f", "./f"] {
            #expect(throws: Failure.self, "\(path)") { try archive.begin(Samples.entry(BytePath(path), size)) }
        }
        let overlapping: [ArchiveEntry.Segment] = [.init(offset: 0, length: 5), .init(offset: 4, length: 2)]
        let beyond: [ArchiveEntry.Segment] = [.init(offset: 0, length: 11)]
        for segments in [overlapping, beyond] {
            #expect(throws: Failure.self) {
                try archive.begin(Samples.entry(BytePath("s"), .file(size: 10, segments: segments)))
            }
        }
        #expect(throws: Failure.self) {
            try archive.begin(Samples.entry(BytePath("h"), .hardLink(original: BytePath("d/f"), size: 0, digest: nil)))
        }
        let long = BytePath([UInt8](repeating: UInt8(ascii: "l"), count: 300_000))
        #expect(throws: Failure.self) { try archive.begin(Samples.entry(BytePath("l"), .symlink(target: long))) }
        #expect(throws: Failure.self) { try archive.append([1]) }
        try archive.begin(Samples.entry(BytePath("d/f"), size))
        #expect(throws: Failure.self) { try archive.begin(Samples.entry(BytePath("d/g"), size)) }
        #expect(throws: Failure.self) { try archive.close() }
        try archive.endEntry()
        let (_, mtree) = try finish()
        #expect(mtree.filter { !$0.hasPrefix("#") }.count == 3)
    }

    @Test("attributes beyond what a header holds are told, the entry stays")
    func largeAttributes() throws {
        let attributes = (0..<20).map { number in
            ArchiveEntry.Attribute(name: BytePath("user.a\(number)"), value: [UInt8](repeating: 1, count: 65_536))
        }
        let entry = Samples.entry(BytePath("f"), .file(size: 0, segments: nil), attributes: attributes)
        #expect(try archive.add(entry).warning != nil)
        _ = try finish()
    }

    @Test("times, owners and sizes at the ends of their range survive")
    func extremes() throws {
        var entry = Samples.entry(BytePath("old"), .file(size: 0, segments: nil))
        entry.modified = FileTime(seconds: -315_619_200, nanoseconds: 500_000_000)
        entry.uid = .max
        entry.gid = .max - 1
        try archive.add(entry)
        entry.path = BytePath("last second")
        entry.modified = FileTime(seconds: -1, nanoseconds: 500_000_000)
        #expect(try archive.add(entry).warning != nil)
        entry.path = BytePath("far")
        entry.modified = FileTime(seconds: 13_569_465_600, nanoseconds: 1)
        entry.changed = FileTime(seconds: 13_569_465_601)
        try archive.add(entry)
        let (verified, mtree) = try finish()
        #expect(mtree.contains { $0.contains("uid=4294967295") && $0.contains("time=-315619200.500000000") })
        var changed: FileTime?
        try verified.walk(root: "workspace") { entry, _ in
            if entry.path == BytePath("far") { changed = entry.changed }
        }
        #expect(changed == FileTime(seconds: 13_569_465_601))
    }

    @Test("a deep tree of long names is archived")
    func deep() throws {
        let component = [UInt8](repeating: UInt8(ascii: "d"), count: 255)
        var path = BytePath("")
        for _ in 0..<64 {
            path = path.appending(BytePath(component))
            try archive.add(Samples.entry(path, .directory))
        }
        #expect(path.bytes.count > 16_000)
        _ = try finish()
    }

    @Test("a bundle with a stream that is open or was dropped cannot be sealed")
    func unfinished() throws {
        #expect(throws: Failure.self) { try bundle.seal(Samples.statementWithoutItems, with: nil) }
        try archive.close()
        do { _ = try bundle.stream(try PayloadName("data/dropped")) }
        #expect { try bundle.seal(Samples.statementWithoutItems, with: nil) } throws: {
            ($0 as? Failure)?.reason.contains("data/dropped") == true
        }
    }

    @Test("a payload name is taken once, and a sealed bundle takes nothing more")
    func names() throws {
        let name = try PayloadName("data/session.json")
        try bundle.write(name, [])
        #expect { try bundle.write(name, []) } throws: { ($0 as? Failure)?.code == .refused }
        #expect { try bundle.archive(root: "Up") } throws: { ($0 as? Failure)?.code == .malformed }
        #expect { try bundle.archive(root: "workspace") } throws: { ($0 as? Failure)?.code == .refused }
        _ = try finish()
        #expect { try bundle.write(try PayloadName("data/late"), []) } throws: { ($0 as? Failure)?.code == .refused }
        #expect(throws: Failure.self) { try bundle.seal(Samples.statementWithoutItems, with: nil) }
    }

    @Test("counts that do not add up are not sealed")
    func counts() throws {
        try archive.close()
        var statement = Samples.statementWithoutItems
        statement.counts.planned = 3
        #expect(throws: Failure.self) { try bundle.seal(statement, with: nil) }
    }
}

extension Samples {
    static var statementWithoutItems: SealStatement {
        var statement = statement(counts: .init())
        statement.checkpoint = nil
        return statement
    }
}
