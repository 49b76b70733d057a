import Base
import Casework
import GRDB
import Glibc
import Synchronization
import Testing

/// RT12: the journal never forbids a freeze. The bound of 100 ms is the freeze's; an append gets 20 ms of patience.
@Suite("Containment journal")
struct ContainmentJournalTests {
    private final class Said: Sendable {
        private let list = Mutex<[String]>([])
        func add(_ line: String) { list.withLock { $0.append(line) } }
        var lines: [String] { list.withLock { $0 } }
    }

    private func spoolLines(_ scene: Scene, _ id: CaseID) throws -> [String] {
        let file = scene.spools.appending("\(id).spool").withCString { open($0, O_RDONLY) }
        try #require(file >= 0)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = max(0, read(file, &bytes, bytes.count))
        return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Appends three batches and says how long all took.
    private func appendThree(_ journal: ContainmentJournal, _ scene: Scene) -> Duration {
        let start = Deadline.monotonicNow()
        for number in 1...3 { journal.append([scene.draft(.outcome, Int64(number))]) }
        return .nanoseconds(Int64(Deadline.monotonicNow() - start))
    }

    private func expectEmergency(_ journal: ContainmentJournal, _ said: Said, _ word: String) {
        guard case .emergencyRecord(let reason) = journal.keeping else {
            Issue.record("not in the emergency record: \(journal.keeping)")
            return
        }
        #expect(reason.contains(word))
        #expect(said.lines.count == 1, "one warning, and no entry, because the record has them: \(said.lines)")
        #expect(said.lines.first?.contains(".spool until the store answers: ") == true, "\(said.lines)")
    }

    @Test("RT12 a store that answers gets the entries, and nothing is spooled")
    func answering() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let said = Said()
            let journal = ContainmentJournal(
                about: [Scene.pin],
                spools: scene.spools,
                patience: .seconds(10),
                sink: { said.add($0) },
                open: { () throws(Failure) in try store.create(about: [Scene.pin], by: Scene.person) }
            )
            _ = appendThree(journal, scene)
            let home = try #require(journal.settle(within: .seconds(10)))
            #expect(journal.keeping == .journal(home.id))
            #expect(try home.journal.entries().filter { $0.kind == .outcome }.count == 3)
            #expect(said.lines.isEmpty)
            #expect(mode(scene.spools) == nil)
        }
    }

    @Test("an outcome is not waited for once the store has answered, and is on disk before the next effect's intent")
    func outcomesLater() throws {
        try Scene.play { scene in
            let gate = Monitor(false)
            let store = try scene.store()
            let home = try store.create(CaseID("case-1"), about: [Scene.pin], by: Scene.person)
            let slow = store.with(
                JournalFault(beforeCommit: { number in
                    guard number == 1 else { return }
                    _ = gate.wait(until: Deadline(after: .seconds(30))) { $0 ? true : nil }
                })
            )
            let journal = ContainmentJournal(
                about: [Scene.pin],
                spools: scene.spools,
                patience: .seconds(10),
                sink: { Issue.record("spooled: \($0)") },
                open: { () throws(Failure) in try slow.open(home.id) }
            )
            journal.append([scene.draft(.intent, 1)])
            // The writer hangs in the commit of this outcome; a waiting append would, too, until the patience ends.
            let start = Deadline.monotonicNow()
            journal.append([scene.draft(.outcome, 1)])
            #expect(Deadline.monotonicNow() - start < 5_000_000_000)
            gate.with { $0 = true }
            journal.append([scene.draft(.intent, 2)])
            let settled = try #require(journal.settle(within: .seconds(20)))
            let kinds = try settled.journal.entries().map(\.kind).filter { $0 != .checkpoint }
            #expect(kinds.suffix(3) == [.intent, .outcome, .intent])
        }
    }

    @Test("RT12 an outcome that was not waited for and not written goes to the emergency record before what follows it")
    func outcomeLost() throws {
        try Scene.play { scene in
            let gate = Monitor(false)
            let store = try scene.store()
            let home = try store.create(CaseID("case-1"), about: [Scene.pin], by: Scene.person)
            let slow = store.with(
                JournalFault(beforeCommit: { number in
                    guard number == 1 else { return }
                    _ = gate.wait(until: Deadline(after: .seconds(30))) { $0 ? true : nil }
                })
            )
            let said = Said()
            let journal = ContainmentJournal(
                home.id,
                about: [Scene.pin],
                spools: scene.spools,
                patience: .milliseconds(200),
                sink: { said.add($0) },
                open: { () throws(Failure) in try slow.open(home.id) }
            )
            journal.append([scene.draft(.intent, 1)])
            journal.append([scene.draft(.outcome, 1)])
            #expect(said.lines.isEmpty)
            journal.append([scene.draft(.intent, 2)])
            #expect(said.lines.count == 1)
            #expect(said.lines.first?.contains("warning") == true)
            gate.with { $0 = true }
            let settled = try #require(journal.settle(within: .seconds(20)))
            let meant = try settled.journal.entries().map(\.meant).filter { $0.kind == .intent || $0.kind == .outcome }
            #expect(meant.map(\.kind) == [.intent, .outcome, .intent])
            #expect(try settled.journal.verify().isSound)
        }
    }

    @Test("RT12 without any store the freeze goes on, and the record becomes a case later, marked late")
    func noStore() throws {
        try Scene.play { scene in
            let id = CaseID.fresh()
            let said = Said()
            do {
                let nowhere = CaseStore(at: scene.root, host: Scene.host, key: nil, spools: nil)
                let journal = ContainmentJournal(
                    id,
                    about: [Scene.pin],
                    spools: scene.spools,
                    sink: { said.add($0) },
                    open: { () throws(Failure) in try nowhere.create(about: [Scene.pin], by: Scene.person) }
                )
                #expect(appendThree(journal, scene) < .milliseconds(100))
                expectEmergency(journal, said, "no such file")
                #expect(journal.settle(within: .milliseconds(50)) == nil)
            }
            #expect(mode(scene.spools) == 0o700)
            #expect(mode(scene.spools.appending("\(id).spool")) == 0o600)
            #expect(try spoolLines(scene, id).count == 4)
            let store = try scene.store()
            try store.mergeSpools(in: scene.spools)
            let home = try store.open(id)
            let late = try home.journal.entries().filter { $0.kind == .late }
            #expect(late.map { $0.meant.kind } == [.outcome, .outcome, .outcome])
            #expect(try home.subjects() == [Scene.pin])
            #expect(try home.journal.verify().isSound)
            #expect(mode(scene.spools.appending("\(id).spool")) == nil)
        }
    }

    @Test("RT12 a read-only store holds nothing up")
    func readOnly() throws {
        try Scene.play { scene in
            // A read-only mount needs a system test; a folder that cannot be made is refused in the same place.
            let store = try scene.store()
            let file = store.root.appending("cases")
            _ = file.withCString { rmdir($0) }
            close(file.withCString { open($0, O_WRONLY | O_CREAT, 0o600) })
            let said = Said()
            let journal = ContainmentJournal(
                about: [Scene.pin],
                spools: scene.spools,
                sink: { said.add($0) },
                open: { () throws(Failure) in try store.create(about: [Scene.pin], by: Scene.person) }
            )
            #expect(appendThree(journal, scene) < .milliseconds(100))
            expectEmergency(journal, said, "not a directory")
        }
    }

    @Test("RT12 a locked case holds nothing up, and the record is brought in when the lock is gone")
    func locked() throws {
        try Scene.play { scene in
            let store = try scene.store(spools: scene.spools, busyTimeout: .seconds(20))
            let home = try store.create(CaseID("case-1"), about: [Scene.pin], by: Scene.person)
            let path = try #require(home.folder.appending("case.sqlite").text)
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true
            let blocker = try DatabaseQueue(path: path, configuration: configuration)
            let said = Said()
            try blocker.inDatabase { try $0.execute(sql: "BEGIN EXCLUSIVE") }
            let journal = ContainmentJournal(
                home.id,
                about: [Scene.pin],
                spools: scene.spools,
                sink: { said.add($0) },
                open: { () throws(Failure) in try store.open(home.id) }
            )
            #expect(appendThree(journal, scene) < .milliseconds(100))
            expectEmergency(journal, said, "did not answer in 20 ms")
            try blocker.inDatabase { try $0.execute(sql: "ROLLBACK") }
            let settled = try #require(journal.settle(within: .seconds(20)))
            let meant = try settled.journal.entries().map(\.meant).filter { $0.kind == .outcome }
            #expect(meant.count == 3, "the batch that was written after all is not entered twice")
            #expect(try settled.journal.verify().isSound)
            #expect(mode(scene.spools.appending("case-1.spool")) == nil)
        }
    }

    @Test("RT12 an fsync of 30 s holds its own thread and not the freeze")
    func slow() throws {
        try Scene.play { scene in
            let gate = Monitor(false)
            let store = try scene.store()
            let home = try store.create(CaseID("case-1"), about: [Scene.pin], by: Scene.person)
            let slow = store.with(
                JournalFault(beforeCommit: { _ in
                    _ = gate.wait(until: Deadline(after: .seconds(30))) { $0 ? true : nil }
                })
            )
            let said = Said()
            let journal = ContainmentJournal(
                home.id,
                about: [Scene.pin],
                spools: scene.spools,
                sink: { said.add($0) },
                open: { () throws(Failure) in try slow.open(home.id) }
            )
            #expect(appendThree(journal, scene) < .milliseconds(100))
            expectEmergency(journal, said, "did not answer in 20 ms")
            gate.with { $0 = true }
            let settled = try #require(journal.settle(within: .seconds(20)))
            #expect(try settled.journal.entries().map(\.meant).filter { $0.kind == .outcome }.count == 3)
        }
    }

    @Test("RT12 when even the emergency record cannot be written, standard error has it")
    func nothingWorks() throws {
        try Scene.play { scene in
            close(scene.spools.withCString { open($0, O_WRONLY | O_CREAT, 0o600) })
            let said = Said()
            let journal = ContainmentJournal(
                about: [Scene.pin],
                spools: scene.spools,
                sink: { said.add($0) },
                open: { () throws(Failure) in throw Failure(.system, "open", on: "store", because: "gone") }
            )
            #expect(appendThree(journal, scene) < .milliseconds(100))
            #expect(said.lines.first?.hasPrefix("warning: the journal is kept nowhere but here: ") == true)
            #expect(said.lines.filter { $0.contains("\"kind\":\"outcome\"") }.count == 3)
            #expect(said.lines.count == 4)
        }
    }

    @Test("a torn last line of a record is told, and the rest is brought in")
    func torn() throws {
        try Scene.play { scene in
            let id = CaseID.fresh()
            do {
                let journal = ContainmentJournal(
                    id,
                    about: [Scene.pin],
                    spools: scene.spools,
                    sink: { _ in },
                    open: { () throws(Failure) in throw Failure(.system, "open", on: "store", because: "gone") }
                )
                _ = appendThree(journal, scene)
            }
            let path = scene.spools.appending("\(id).spool")
            var status = stat()
            #expect(path.withCString { stat($0, &status) } == 0)
            #expect(path.withCString { truncate($0, status.st_size - 5) } == 0)
            let store = try scene.store()
            try store.mergeSpools(in: scene.spools)
            let entries = try store.open(id).journal.entries()
            #expect(entries.filter { $0.kind == .late }.count == 2)
            #expect(entries.contains { $0.topic == "spool-unreadable" })
        }
    }

    @Test("a record whose case was never born comes into a case of its own")
    func unborn() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let id = CaseID.fresh()
            _ = store.cases.appending(id.text).withCString { mkdir($0, 0o700) }
            do {
                let journal = ContainmentJournal(
                    id,
                    about: [Scene.pin],
                    spools: scene.spools,
                    sink: { _ in },
                    open: { () throws(Failure) in throw Failure(.system, "open", on: "store", because: "gone") }
                )
                _ = appendThree(journal, scene)
            }
            try store.mergeSpools(in: scene.spools)
            let home = try #require(try store.join([Scene.pin]))
            #expect(home.id != id)
            #expect(try home.opening().reason == "emergency record")
            #expect(try home.journal.entries().filter { $0.kind == .late }.count == 3)
        }
    }

    @Test("a record in a folder that others can write is not brought in")
    func foreignRecord() throws {
        try Scene.play { scene in
            _ = scene.spools.withCString { mkdir($0, 0o700) }
            let path = scene.spools.appending("case-1.spool")
            close(path.withCString { open($0, O_WRONLY | O_CREAT, 0o666) })
            setMode(0o666, path)
            let store = try scene.store()
            #expect(throws: Failure.self) { try store.mergeSpools(in: scene.spools) }
        }
    }
}
