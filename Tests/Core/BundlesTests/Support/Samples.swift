import Base
import Bundles
import Sealing

/// A small bundle with everything that is odd about a session's files.
enum Samples {
    static let modified = FileTime(seconds: 1_795_358_793, nanoseconds: 67_303_521)
    static let longName = BytePath([UInt8](repeating: UInt8(ascii: "n"), count: 255))

    static func statement(
        counts: SealStatement.Counts = .init(collected: 2, partial: 1, skipped: 1, failed: 1),
        purpose: SealStatement.Purpose = .incident
    ) -> SealStatement {
        SealStatement(
            name: "amber-7f3a-1",
            caseID: "amber-7f3a",
            number: 1,
            purpose: purpose,
            locator: "cgroup:/agents/a7",
            pins: [
                SessionPin(
                    bootID: "6e3d5a3c-0c3b-4b8e-9a53-6a2a3d1f0e11",
                    cgroups: [CgroupPin(hierarchy: "v2", path: BytePath("/agents/a7"), inode: 4711)],
                    leader: ProcessPin(pid: 812, startTicks: 90_210)
                )
            ],
            freeze: .init(
                confirmed: Instant(seconds: 1_795_358_800),
                lastSeen: Instant(seconds: 1_795_358_860),
                processes: 7
            ),
            counts: counts,
            checkpoint: .init(sequence: 12, head: SHA256.digest(of: Array("head".utf8)), note: nil),
            authority: "INC-2041",
            tool: .init(version: "0.1.0", digest: SHA256.digest(of: Array("tool".utf8))),
            responder: "kim@example.org",
            host: "build-7",
            began: Instant(seconds: 1_795_358_801),
            sealed: Instant(seconds: 1_795_358_861)
        )
    }

    static func entry(
        _ path: BytePath,
        _ kind: ArchiveEntry.Kind,
        mode: UInt32 = 0o644,
        links: UInt64 = 1,
        attributes: [ArchiveEntry.Attribute] = [],
        isMetadataOnly: Bool = false
    ) -> ArchiveEntry {
        ArchiveEntry(
            path: path,
            kind: kind,
            mode: mode,
            uid: 1000,
            gid: 1000,
            modified: modified,
            links: links,
            attributes: attributes,
            isMetadataOnly: isMetadataOnly
        )
    }

    /// Archives one regular file from its bytes.
    @discardableResult
    static func add(_ entry: ArchiveEntry, _ content: [UInt8], to archive: ArchiveWriter) throws -> EntryReceipt {
        try archive.begin(entry)
        try archive.append(content)
        return try archive.endEntry()
    }

    static let plain: [(path: BytePath, content: [UInt8])] = [
        (BytePath("notes.txt"), Array("only listed files\n".utf8)),
        (BytePath("empty"), []),
        (BytePath("new\nline"), Array("a".utf8)),
        (BytePath([0xFF, 0xFE, UInt8(ascii: "x")]), Array("b".utf8)),
        (BytePath("-rf"), Array("c".utf8)),
        (BytePath("back\\slash # * ? [x] a=b"), Array("d".utf8)),
        (longName, Array("e".utf8)),
        (BytePath("caf\u{65}\u{301}"), Array("decomposed".utf8)),
        (BytePath("caf\u{E9}"), Array("composed".utf8)),
    ]

    static let noise: [UInt8] = {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        return (0..<40_000).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }()

    /// Writes the archived root of the sample.
    static func fill(_ archive: ArchiveWriter) throws {
        try archive.add(entry(BytePath("."), .directory, mode: 0o755))
        for file in plain {
            try add(entry(file.path, .file(size: UInt64(file.content.count), segments: nil)), file.content, to: archive)
        }
        try archive.add(entry(BytePath("sub"), .directory, mode: 0o1777))
        let original = BytePath("sub/noise.bin")
        let receipt = try add(
            entry(original, .file(size: UInt64(noise.count), segments: nil), mode: 0o4755, links: 2),
            noise,
            to: archive
        )
        try archive.add(
            entry(
                BytePath("sub/second name"),
                .hardLink(original: original, size: UInt64(noise.count), digest: receipt.digest),
                mode: 0o4755,
                links: 2
            )
        )
        try archive.begin(
            entry(
                BytePath("sparse"),
                .file(size: 3 << 20, segments: [.init(offset: 1 << 20, length: 4), .init(offset: 2 << 20, length: 4)])
            )
        )
        try archive.skipHole(1 << 20)
        try archive.append(Array("data".utf8))
        try archive.skipHole((1 << 20) - 4)
        try archive.append(Array("more".utf8))
        try archive.skipHole((1 << 20) - 4)
        try archive.endEntry()
        let attributes = [ArchiveEntry.Attribute(name: BytePath("user.origin"), value: [0, 1, 0xFF, 10])]
        try add(
            entry(BytePath("tagged"), .file(size: 1, segments: nil), attributes: attributes),
            [UInt8(ascii: "t")],
            to: archive
        )
        try archive.add(entry(BytePath("link"), .symlink(target: BytePath("/etc/sha\ndow")), mode: 0o777))
        try archive.add(entry(BytePath("pipe"), .fifo))
        try archive.add(entry(BytePath("null"), .character(major: 1, minor: 3), mode: 0o666))
        try archive.add(entry(BytePath("loop"), .block(major: 7, minor: 1), mode: 0o660))
        try archive.add(entry(BytePath("sock"), .socket))
        try archive.add(entry(BytePath("elsewhere"), .file(size: 9, segments: nil), links: 3, isMetadataOnly: true))
    }

    static let collection = """
        {"item":"file","outcome":"collected","path":"notes.txt","root":"workspace"}
        {"item":"processes","outcome":"collected"}
        {"item":"file","outcome":"partial","path":"tagged","reason":"attributes"}
        {"item":"file","outcome":"skipped","path":"elsewhere","reason":"links outside the root"}
        {"errno":13,"item":"file","outcome":"failed","path":{"bytes":"//4="}}
        {"collected":2,"failed":1,"item":"sum","partial":1,"planned":5,"skipped":1}

        """

    static let journal = """
        {"body":{},"kind":"intent","previous":"00","sequence":11}
        {"body":{},"kind":"outcome","previous":"01","sequence":12}

        """

    /// Writes and seals the sample; without a key it stays unsigned.
    @discardableResult
    static func write(
        to path: BytePath,
        key: SigningKey?,
        statement: SealStatement = statement(),
        volumeSize: Int = 16 << 10
    ) throws -> SealedBundle {
        try write(into: try BundleWriter(creating: path, volumeSize: volumeSize), key: key, statement: statement)
    }

    /// The same into a bundle that was begun.
    @discardableResult
    static func write(
        into bundle: BundleWriter,
        key: SigningKey?,
        statement: SealStatement = statement()
    ) throws -> SealedBundle {
        try bundle.write(PayloadName("data/session.json"), Array("{\"locator\":\"cgroup:/agents/a7\"}\n".utf8))
        let processes = try bundle.stream(PayloadName("data/processes.jsonl"))
        try processes.appendLine(["pid": 812, "comm": "agent"])
        try processes.appendLine(["pid": 813, "comm": "sh"])
        try processes.close()
        let archive = try bundle.archive(root: "workspace")
        try fill(archive)
        try archive.close()
        try bundle.write(PayloadName("data/collection.jsonl"), Array(collection.utf8))
        try bundle.write(PayloadName("data/journal.jsonl"), Array(journal.utf8))
        return try bundle.seal(statement, with: key)
    }
}

extension UnverifiedBundle {
    /// The verified bundle, or the finding as an error.
    func requireConsistent(_ policy: VerificationPolicy) throws -> VerifiedBundle {
        switch try verify(policy) {
        case .consistent(let bundle): return bundle
        case .wrong(let finding): throw finding
        }
    }

    /// The finding, or `nil` when the bundle is consistent.
    func finding(_ policy: VerificationPolicy) throws -> VerificationFinding? {
        guard case .wrong(let finding) = try verify(policy) else { return nil }
        return finding
    }
}
