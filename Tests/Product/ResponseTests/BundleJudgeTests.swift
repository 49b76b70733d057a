import Base
import Bundles
import Casework
import Sealing
import Testing

@testable import Response

/// A bundle with the journal of a real case in it, changed and sealed again by who may: the chain itself must be right.
@Suite("RT15 The journal in a bundle")
struct BundleJudgeTests {
    let temporary: TemporaryStore
    let home: Case
    let responder = Responder("test", by: .stated)

    init() throws {
        temporary = try TemporaryStore()
        home = try temporary.store.create(by: responder)
        for number in 1...4 { try home.note("note \(number)", by: responder) }
    }

    private func statement(
        _ name: String,
        caseID: String? = nil,
        number: Int = 1,
        checkpoint: SealStatement.Checkpoint? = nil
    ) -> SealStatement {
        SealStatement(
            name: name,
            caseID: caseID ?? home.id.text,
            number: number,
            purpose: .incident,
            locator: "pid:1",
            pins: [],
            freeze: nil,
            counts: .init(),
            checkpoint: checkpoint,
            authority: nil,
            tool: .init(version: "0", digest: nil),
            responder: "test",
            host: "here",
            began: Instant(seconds: 1_795_358_801),
            sealed: Instant(seconds: 1_795_358_861)
        )
    }

    /// Seals a bundle with these lines as its journal, pinning the end that they have unless told.
    private func finding(
        _ name: String,
        lines: [[UInt8]],
        caseID: String? = nil,
        sequence: UInt64? = nil
    ) throws -> VerificationFinding? {
        let last = try Entry(parsing: try #require(lines.last))
        let bundle = try BundleWriter(creating: temporary.root.appending(name))
        try bundle.write(PayloadName("data/journal.jsonl"), Array(lines.map { $0 + [0x0A] }.joined()))
        let statement = statement(
            name,
            caseID: caseID,
            checkpoint: .init(sequence: sequence ?? last.sequence, head: last.digest, note: nil)
        )
        let key = try SigningKey.generate()
        _ = try bundle.seal(statement, with: key)
        let path = temporary.root.appending(name)
        let keys = [key.verifyingKey] + (temporary.store.key.map { [$0.verifyingKey] } ?? [])
        guard case .wrong(let finding) = try BundleJudge.judge(path, VerificationPolicy(trusting: keys)) else {
            return nil
        }
        return finding
    }

    @Test(
        "RT15 a gap, an altered entry, another order, another case or another end are each named in data/journal.jsonl"
    )
    func chain() throws {
        let lines = try home.journal.export().split(separator: 0x0A).map { Array($0) }
        #expect(lines.count >= 5)
        #expect(try finding("honest", lines: lines) == nil)
        var gap = lines
        gap.remove(at: 2)
        var altered = lines
        altered[2] = Array(String(decoding: altered[2], as: UTF8.self).replacing("note 2", with: "note 9").utf8)
        #expect(altered != lines)
        var swapped = lines
        swapped.swapAt(2, 3)
        var twice = lines
        twice.insert(lines[2], at: 2)
        let forged: [(String, [[UInt8]])] = [
            ("gap", gap), ("altered", altered), ("swapped", swapped), ("twice", twice),
            ("beheaded", Array(lines.dropFirst())),
        ]
        for (name, journal) in forged {
            let found = try #require(try finding(name, lines: journal), "\(name)")
            #expect(found.check == .journal, "\(name)")
            #expect(found.file == "data/journal.jsonl", "\(name)")
        }
        #expect(try finding("other-case", lines: lines, caseID: "umber-0000")?.check == .journal)
        #expect(try finding("longer", lines: lines, sequence: 99)?.check == .journal)
    }

    @Test("RT31 the case names a second seal of one number also where its seal or its folder has another name")
    func conflict() throws {
        func seal(_ folder: String, as name: String, number: Int) throws -> VerifiedBundle {
            let writer = try BundleWriter(creating: temporary.root.appending(folder))
            try writer.write(PayloadName("data/session.json"), Array("\(folder)\n".utf8))
            let statement = statement(name, number: number)
            _ = try writer.seal(statement, with: nil)
            return try BundleJudge.verify(temporary.root.appending(folder), trusting: [])
        }
        let first = try seal("first", as: "\(home.id)-1", number: 1)
        let capture = CaptureRecord(
            bundle: "\(home.id)-1",
            root: first.root,
            pins: [],
            profile: .full,
            isComplete: true
        )
        try home.record(capture, by: responder)
        #expect(try BundleJudge.conflict(of: first, in: home) == nil)
        #expect(try BundleJudge.conflict(of: try seal("next", as: "\(home.id)-2", number: 2), in: home) == nil)
        for (folder, name, number) in [
            ("moved", "\(home.id)-1", 1), ("renamed", "other-9", 1), ("counted", "\(home.id)-1", 7),
        ] {
            let finding = try BundleJudge.conflict(of: try seal(folder, as: name, number: number), in: home)
            #expect(finding?.check == .seal, "\(folder)")
            #expect(finding?.found.contains("two seals of one number") == true, "\(folder)")
        }
    }
}
