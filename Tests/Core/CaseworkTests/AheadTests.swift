import Base
import Glibc
import Synchronization
import Testing

@testable import Casework

/// What is on record before an effect that ends with the machine, while the store is still being opened (decision 0039).
@Suite("written ahead")
struct AheadTests {
    private final class Said: Sendable {
        private let list = Mutex<[String]>([])
        func add(_ line: String) { list.withLock { $0.append(line) } }
        var lines: [String] { list.withLock { $0 } }
    }

    private let id: CaseID

    init() throws { id = try #require(CaseID("case-9")) }

    private func lines(_ scene: Scene, _ id: CaseID) throws -> [String] {
        let file = Spool.Kind.ahead.path(of: id, in: scene.spools).withCString { open($0, O_RDONLY) }
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = max(0, read(file, &bytes, bytes.count))
        return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// A journal whose store opens when the gate does.
    private func journal(
        _ scene: Scene,
        behind gate: Monitor<Bool>,
        _ said: Said,
        patience: Duration = .milliseconds(20)
    ) throws -> ContainmentJournal {
        let store = try scene.store()
        return ContainmentJournal(
            id,
            about: [Scene.pin],
            spools: scene.spools,
            patience: patience,
            sink: { said.add($0) },
            open: { () throws(Failure) in
                _ = gate.wait(until: Deadline(after: .seconds(30))) { $0 ? true : nil }
                return try store.create(about: [Scene.pin], by: Scene.person)
            }
        )
    }

    @Test("an intent ahead waits for no store, is on record at once, and its file goes when the case has it")
    func ahead() throws {
        try Scene.play { scene in
            let (gate, said) = (Monitor(false), Said())
            let journal = try journal(scene, behind: gate, said, patience: .seconds(10))
            // The store is not even open: whoever waited for it would be here when the patience ends.
            let start = Deadline.monotonicNow()
            journal.appendAhead([scene.draft(.intent, 1)])
            journal.append([scene.draft(.outcome, 1)])
            journal.appendAhead([scene.draft(.intent, 2)])
            #expect(Deadline.monotonicNow() - start < 5_000_000_000)
            let kept = try lines(scene, id)
            #expect(kept.count == 4)
            #expect(kept.dropFirst().map { $0.contains("\"kind\":\"intent\"") } == [true, false, true])
            #expect(mode(Spool.Kind.ahead.path(of: id, in: scene.spools)) == 0o600)
            gate.with { $0 = true }
            journal.confirm()
            #expect(journal.keeping != .journal(nil), "it is in the case before anybody is told")
            let home = try #require(journal.settle(within: .seconds(20)))
            let kinds = try home.journal.entries().map(\.kind)
            #expect(kinds.filter { $0 == .intent || $0 == .outcome } == [.intent, .outcome, .intent])
            #expect(!kinds.contains(.late))
            #expect(try home.journal.verify().isSound)
            #expect(try lines(scene, id).isEmpty)
            #expect(said.lines.isEmpty)
        }
    }

    @Test("what was written ahead by a process that was killed comes into a case, and nothing of it twice")
    func killed() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let home = try store.create(about: [Scene.pin], by: Scene.person)
            let known = scene.draft(.intent, 1)
            do {
                let journal = ContainmentJournal(
                    id,
                    about: [Scene.pin],
                    spools: scene.spools,
                    sink: { Issue.record("told: \($0)") },
                    open: { () throws(Failure) in throw Failure(.cancelled, "open", on: "store", because: "killed") }
                )
                journal.appendAhead([known])
                journal.appendAhead([scene.draft(.intent, 2)])
            }
            // It came as far as the first commit.
            try home.journal.append([known])
            try store.mergeSpools(in: scene.spools)
            let intents = try home.journal.entries().filter { $0.meant.kind == .intent }
            #expect(intents.map(\.kind) == [.intent, .late])
            #expect(intents.last?.body["reason"]?.string == "the process ended before the store had it")
            #expect(try lines(scene, id).isEmpty)
            #expect(try home.journal.verify().isSound)
        }
    }

    @Test("RT12 a store that hangs after an effect gets its emergency record before anybody is told")
    func hangs() throws {
        try Scene.play { scene in
            let (gate, said) = (Monitor(false), Said())
            let journal = try journal(scene, behind: gate, said)
            journal.appendAhead([scene.draft(.intent, 1)])
            journal.append([scene.draft(.outcome, 1)])
            #expect(said.lines.isEmpty)
            journal.confirm()
            #expect(said.lines.count == 1 && said.lines.first?.contains("did not answer in 20 ms") == true)
            #expect(mode(Spool.Kind.emergency.path(of: id, in: scene.spools)) == 0o600)
            #expect(try lines(scene, id).isEmpty, "the emergency record has it all")
            gate.with { $0 = true }
            let home = try #require(journal.settle(within: .seconds(20)))
            let meant = try home.journal.entries().map(\.meant.kind).filter { $0 == .intent || $0 == .outcome }
            #expect(meant == [.intent, .outcome])
        }
    }

    @Test("where nothing can be written ahead the store is waited for")
    func nowhere() throws {
        try Scene.play { scene in
            close(scene.spools.withCString { open($0, O_WRONLY | O_CREAT, 0o600) })
            let store = try scene.store()
            let home = try store.create(about: [Scene.pin], by: Scene.person)
            let journal = ContainmentJournal(
                id,
                about: [Scene.pin],
                spools: scene.spools,
                patience: .seconds(20),
                sink: { Issue.record("told: \($0)") },
                open: { home }
            )
            journal.appendAhead([scene.draft(.intent, 1)])
            #expect(try home.journal.entries().contains { $0.kind == .intent }, "on disk when it returns")
        }
    }

    @Test("of a file written ahead that a power loss emptied no case is made")
    func emptied() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let isMade = scene.spools.withCString { mkdir($0, 0o700) } == 0
            try #require(isMade)
            let path = Spool.Kind.ahead.path(of: id, in: scene.spools)
            close(path.withCString { open($0, O_WRONLY | O_CREAT, 0o600) })
            try store.mergeSpools(in: scene.spools)
            #expect(try store.list().isEmpty)
            #expect(mode(path) == nil)
        }
    }
}
