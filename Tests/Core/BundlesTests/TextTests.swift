import Base
import Bundles
import Glibc
import Sealing
import Testing

@Suite("The texts of a bundle")
struct TextTests {
    let bench: Workbench

    init() throws { bench = try Workbench() }

    /// Compares with the snapshot beside this file; QUELL_RECORD=1 writes it anew.
    func compare(_ name: String, with snapshot: String) throws {
        let text = withoutCompressedSize(String(decoding: try Disk.read(bench("b").appending(name)), as: UTF8.self))
        let place = BytePath(#filePath).parent.appending("Snapshots").appending(snapshot)
        if getenv("QUELL_RECORD") != nil { try Disk.write(Array(text.utf8), to: place) }
        let recorded = String(decoding: try Disk.read(place), as: UTF8.self)
        #expect(text == recorded, "record again with QUELL_RECORD=1 when this is on purpose")
    }

    /// Versions of zstd differ in the size they reach.
    func withoutCompressedSize(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasSuffix(".pax.zst.000") ? "              ?  data/files/workspace.pax.zst.000" : String(line)
        }.joined(separator: "\n")
    }

    @Test("SUMMARY.txt and VERIFY.txt of a signed bundle are as recorded")
    func signed() throws {
        try Samples.writeSmall(to: bench("b"), key: try SigningKey.generate())
        try compare("SUMMARY.txt", with: "signed-summary.txt")
        try compare("VERIFY.txt", with: "signed-verify.txt")
        try compare("data/files/workspace.mtree", with: "workspace.mtree")
    }

    @Test("SUMMARY.txt and VERIFY.txt of an unsigned exercise are as recorded")
    func unsigned() throws {
        try Samples.writeSmall(to: bench("b"), key: nil, purpose: .exercise)
        try compare("SUMMARY.txt", with: "unsigned-summary.txt")
        try compare("VERIFY.txt", with: "unsigned-verify.txt")
    }

    @Test(
        "RT37 hostile words in the statement cannot move the cursor of who reads SUMMARY.txt or add a line to bag-info.txt"
    )
    func hostileWords() throws {
        var statement = Samples.statementWithoutItems
        statement.locator = "podman:\u{1B}[2Jgood\u{202E}\nframed  yes"
        statement.caseID = "amber\nPayload-Oxum: 1.1"
        let bundle = try BundleWriter(creating: bench("b"))
        _ = try bundle.seal(statement, with: nil)
        let summary = try Disk.read(bench("b/SUMMARY.txt"))
        #expect(!summary.contains(0x1B))
        #expect(!String(decoding: summary, as: UTF8.self).contains("\nframed"))
        #expect(try UnverifiedBundle(at: bench("b")).finding(.init(trusting: [])) == nil)
    }
}

extension Samples {
    /// A bundle small enough to read its texts.
    static func writeSmall(
        to path: BytePath,
        key: SigningKey?,
        purpose: SealStatement.Purpose = .incident
    ) throws {
        let bundle = try BundleWriter(creating: path)
        try bundle.write(PayloadName("data/session.json"), Array("{}\n".utf8))
        try bundle.write(PayloadName("data/collection.jsonl"), Array(collection.utf8))
        try bundle.write(PayloadName("data/journal.jsonl"), Array(journal.utf8))
        let archive = try bundle.archive(root: "workspace")
        try archive.add(entry(BytePath("."), .directory, mode: 0o755))
        try add(entry(BytePath("a b#\n\u{E9}"), .file(size: 2, segments: nil)), Array("hi".utf8), to: archive)
        try archive.add(entry(BytePath("sock"), .socket))
        try archive.close()
        _ = try bundle.seal(statement(purpose: purpose), with: key)
    }
}
