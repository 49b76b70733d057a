import Base
import Bundles
import Glibc
import Sealing
import Testing
import Timeline

@Suite("A timeline of a real bundle")
struct BundleTests {
    @Test("a sealed bundle gives the same rows as the bytes that went into it")
    func sealedBundle() throws {
        let place = try SealedPlace(Demo.evidence())
        let store = try Timeline.build(
            from: place.bundle,
            at: place.folder.appending("timeline.sqlite"),
            readLog: Timeline.readInProcess
        )
        var rows: [TimelineRow] = []
        try store.forEach { rows.append($0) }
        let direct = try BuiltTimeline(Demo.evidence()).rows()
        #expect(rows.map(\.event) == direct.map(\.event))
        #expect(rows.map(\.mark) == direct.map(\.mark))
        #expect(try store.fact("bundle") == place.bundle.root.hex)
    }
}

/// A bundle of some evidence, sealed and verified, in a temporary folder that goes away with it.
private struct SealedPlace: ~Copyable {
    let folder: BytePath
    let bundle: VerifiedBundle

    init(_ evidence: MemoryEvidence) throws {
        var template = Array("/tmp/quell-timeline-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let made = BytePath(template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
        let path = made.appending("amber-7f3a-1")
        let writer = try BundleWriter(creating: path)
        for (name, bytes) in evidence.payload.sorted(by: { $0.key < $1.key }) {
            try writer.write(try PayloadName(name), bytes)
        }
        for (root, files) in evidence.trees { try SealedPlace.archive(files, as: root, in: writer) }
        let key = try SigningKey.generate()
        _ = try writer.seal(SealedPlace.statement(evidence), with: key)
        let verification = try UnverifiedBundle(at: path).verify(.init(trusting: [key.verifyingKey]))
        guard case .consistent(let verified) = verification else {
            throw Failure(.notVerified, "verify the test's bundle", on: "it", because: "\(verification)")
        }
        folder = made
        bundle = verified
    }

    deinit {
        SealedPlace.remove(folder)
    }

    private static func remove(_ path: BytePath) {
        let names = path.withCString { opendir($0) }
        while let names, let entry = readdir(names) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { BytePath($0) }
            if name != BytePath("."), name != BytePath("..") {
                let child = path.appending(name)
                if entry.pointee.d_type == UInt8(DT_DIR) { remove(child) } else { _ = child.withCString { unlink($0) } }
            }
        }
        if let names { closedir(names) }
        _ = path.withCString { rmdir($0) }
    }

    private static func archive(
        _ files: [(path: BytePath, content: [UInt8]?)],
        as root: String,
        in writer: BundleWriter
    ) throws {
        let archive = try writer.archive(root: root)
        try archive.add(entry(BytePath("."), .directory))
        var folders: Set<BytePath> = []
        for file in files {
            var parents: [BytePath] = []
            var parent = file.path.parent
            while !parent.isEmpty {
                parents.insert(parent, at: 0)
                parent = parent.parent
            }
            for parent in parents where folders.insert(parent).inserted { try archive.add(entry(parent, .directory)) }
            let content = file.content ?? []
            try archive.begin(entry(file.path, .file(size: UInt64(content.count), segments: nil)))
            try archive.append(content)
            _ = try archive.endEntry()
        }
        _ = try archive.close()
    }

    private static func entry(_ path: BytePath, _ kind: ArchiveEntry.Kind) -> ArchiveEntry {
        ArchiveEntry(path: path, kind: kind, mode: 0o755, uid: 1000, gid: 1000, modified: FileTime(seconds: 0))
    }

    private static func statement(_ evidence: MemoryEvidence) -> SealStatement {
        SealStatement(
            name: "amber-7f3a-1",
            caseID: "amber-7f3a",
            number: 1,
            purpose: .incident,
            locator: "cgroup:/agents/a7",
            pins: [],
            freeze: nil,
            counts: .init(collected: 5),
            checkpoint: nil,
            authority: nil,
            tool: .init(version: "0.1.0", digest: nil),
            responder: "ada",
            host: "build-7",
            began: evidence.captured.earliest,
            sealed: evidence.captured.latest
        )
    }
}
