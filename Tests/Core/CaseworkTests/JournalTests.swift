import Base
import Casework
import GRDB
import Glibc
import Sealing
import Synchronization
import Testing

@Suite("Journal")
struct JournalTests {
    /// A case with ten more entries, every third an outcome, so that checkpoints stand between.
    private func filled(_ scene: Scene) throws -> Case {
        let home = try scene.store().create(CaseID("case-1"), about: [Scene.pin], by: Scene.person)
        for number in 1...10 {
            try home.journal.append([scene.draft(number % 3 == 0 ? .outcome : .note, Int64(number))])
        }
        return home
    }

    /// Opens the file as a store's administrator would, around our triggers.
    private func tamper(_ home: Case, _ sql: String) throws {
        let path = try #require(home.folder.appending("case.sqlite").text)
        let queue = try DatabaseQueue(path: path)
        try queue.write { database in
            for trigger in ["entry_stays", "entry_remains", "entry_follows"] {
                try database.execute(sql: "DROP TRIGGER \(trigger)")
            }
            try database.execute(sql: sql)
        }
        try queue.close()
    }

    @Test("entries chain from the case's name, and a journal as written is sound")
    func sound() throws {
        try Scene.play { scene in
            let home = try filled(scene)
            let found = try home.journal.verify()
            #expect(found.problems == [])
            #expect(found.checkpoints == 3)
            #expect(found.unsignedTail.map(\.sequence) == [15])
            #expect(found.entries.map(\.sequence) == Array(1...15))
            #expect(found.entries.first?.previous == SHA256.digest(of: Array("quell-case/case-1".utf8)))
            for (entry, next) in zip(found.entries, found.entries.dropFirst()) {
                #expect(next.previous == entry.digest)
            }
            #expect(try home.journal.lastCheckpoint()?.unverifiedCheckpoint.size == 13)
        }
    }

    @Test("our own connection can neither alter nor remove nor insert out of order")
    func triggers() throws {
        try Scene.play { scene in
            let path = try #require(try filled(scene).folder.appending("case.sqlite").text)
            let queue = try DatabaseQueue(path: path)
            for sql in [
                "UPDATE entry SET line = 'x' WHERE sequence = 3", "DELETE FROM entry WHERE sequence = 15",
                "INSERT INTO entry VALUES (99, NULL, NULL, 'd', 'l')",
            ] {
                #expect(throws: DatabaseError.self) { try queue.write { try $0.execute(sql: sql) } }
            }
        }
    }

    @Test("RT15 an altered entry is found and named")
    func altered() throws {
        try Scene.play { scene in
            let home = try filled(scene)
            try tamper(home, "UPDATE entry SET line = replace(line, '\"ada\"', '\"eve\"') WHERE sequence = 4")
            let problems = try home.journal.verify().problems
            #expect(problems.contains { $0.text.hasPrefix("entry 4 was altered") })
            let failure = #expect(throws: Failure.self) { try home.journal.verify().verified(of: home.id) }
            #expect(failure?.code == .notVerified)
        }
    }

    @Test("RT15 a removed entry in the middle is found and named")
    func removed() throws {
        try Scene.play { scene in
            let home = try filled(scene)
            try tamper(home, "DELETE FROM entry WHERE sequence = 5")
            #expect(try home.journal.verify().problems.first?.text == "entry 5 is missing: entry 6 stands in its place")
        }
    }

    @Test("RT15 the removal of the last entries is found by the checkpoints kept beside and elsewhere")
    func truncated() throws {
        try Scene.play { scene in
            let home = try filled(scene)
            let anchor = try #require(try home.journal.lastCheckpoint())
            try tamper(home, "DELETE FROM entry WHERE sequence > 11")
            let words = "the last entries were removed: a checkpoint signed 13, only 11 are here"
            #expect(try home.journal.verify().problems.map(\.text) == [words])
            _ = home.folder.appending("checkpoints.jsonl").withCString { unlink($0) }
            #expect(try home.journal.verify().isSound)
            #expect(try home.journal.verify(notes: [anchor]).problems.map(\.text) == [words])
        }
    }

    @Test("RT15 a journal that was rolled back, or is another one, does not fit the heads that others tell")
    func anchored() throws {
        try Scene.play { scene in
            let home = try filled(scene)
            let last = try #require(try home.journal.entries().last)
            let anchor = JournalAnchor(size: last.sequence, head: last.digest, place: "the seal of b-1")
            func problems(_ anchors: [JournalAnchor]) throws -> [String] {
                let store = try scene.store().anchored { _, _ in AnchorLook(anchors) }
                return try store.open(home.id).journal.verify().problems.map(\.text)
            }
            #expect(try problems([anchor]) == [])
            let other = JournalAnchor(size: 3, head: last.digest, place: "the seal of b-2")
            #expect(try problems([other]) == ["entries up to 3 were rewritten: the seal of b-2 tells of others"])
            try tamper(home, "DELETE FROM entry WHERE sequence > 5")
            _ = home.folder.appending("checkpoints.jsonl").withCString { unlink($0) }
            let words = "the last entries were removed: the seal of b-1 tells of \(last.sequence), only 5 are here"
            #expect(try problems([anchor]) == [words])
        }
    }

    @Test("RT15 a journal is not sound when what could tell of a rollback could not be read, and it is told why")
    func notCompared() throws {
        try Scene.play { scene in
            let home = try filled(scene)
            let failure = Failure(errno: EIO, "list the bundles", on: BytePath("/store/bundles"))
            let store = try scene.store().anchored { _, _ in AnchorLook(unread: [failure]) }
            let result = try store.open(home.id).journal.verify()
            #expect(!result.isSound && result.standing == .sound && result.unread == [failure])
        }
    }

    @Test("RT15 a chain rebuilt with right digests does not fit the checkpoints")
    func rebuilt() throws {
        try Scene.play { scene in
            let home = try filled(scene)
            let other = try filledAgain(scene, home)
            let path = try #require(other.folder.appending("case.sqlite").text)
            try tamper(
                home,
                "ATTACH '\(path)' AS other; DELETE FROM entry; INSERT INTO entry SELECT * FROM other.entry"
            )
            let problems = try home.journal.verify().problems
            #expect(problems.contains { $0.text.hasPrefix("entries up to ") && $0.text.contains("were rewritten") })
        }
    }

    /// The same case written anew by somebody without the key: every digest fits, nothing is signed.
    private func filledAgain(_ scene: Scene, _ home: Case) throws -> Case {
        let root = scene.folder.appending("forged")
        _ = try CaseStore.initialise(at: root)
        let store = CaseStore(at: root, host: Scene.host, key: nil, spools: nil)
        let forged = try store.create(home.id, about: [Scene.pin], by: Responder("eve", by: .stated))
        for number in 1...13 { try forged.journal.append([scene.draft(.note, Int64(number))]) }
        #expect(try forged.journal.verify().isSound)
        return forged
    }

    @Test("RT15 a journal rebuilt without a checkpoint, and without those beside, is unsigned and never sound")
    func rebuiltUnsigned() throws {
        try Scene.play { scene in
            let home = try filled(scene)
            let root = scene.folder.appending("forged")
            _ = try CaseStore.initialise(at: root)
            let eve = Responder("eve", by: .stated)
            let forged = try CaseStore(at: root, host: Scene.host, key: nil, spools: nil)
                .create(home.id, about: [Scene.pin], by: eve)
            for number in 1...3 { try forged.journal.append([scene.draft(.outcome, Int64(number))]) }
            let path = try #require(forged.folder.appending("case.sqlite").text)
            try tamper(
                home,
                "ATTACH '\(path)' AS other; DELETE FROM entry; INSERT INTO entry SELECT * FROM other.entry"
            )
            _ = home.folder.appending("checkpoints.jsonl").withCString { unlink($0) }
            let found = try home.journal.verify()
            #expect(found.problems == [])
            #expect(found.standing == .unsigned)
            #expect(!found.isSound)
            #expect(found.firstUnsigned == 3)
            // The host's next run signs what it finds, which makes it no truer.
            try home.journal.append([EntryDraft(note: "run-started", by: Scene.person, run: "run-2")])
            try home.journal.append([scene.draft(.outcome, 4)])
            #expect(try home.journal.verify().checkpoints == 1)
            #expect(try home.journal.verify().standing == .unsigned)
        }
    }

    @Test("a case from before `quell init` is unsigned, also after it, and is still acted upon")
    func olderThanKey() throws {
        try Scene.play { scene in
            try scene.makeRoot()
            let before = CaseStore(at: scene.root, host: Scene.host, key: nil, spools: nil)
            let home = try before.create(CaseID("case-1"), about: [Scene.pin], by: Scene.person)
            #expect(try home.journal.verify().standing == .sound, "nothing was done in it")
            try home.journal.append([scene.draft(.outcome, 1)])
            #expect(try home.journal.verify().standing == .unsigned)
            let after = try scene.store().open(home.id)
            #expect(try after.journal.verify().standing == .unsigned)
            try after.close(because: "over", by: Scene.person)
            let found = try after.journal.verify()
            #expect(found.checkpoints == 1)
            #expect(found.standing == .unsigned)
            #expect(found.firstUnsigned == 3)
            _ = try found.verified(of: home.id)
        }
    }

    @Test("RT15 outcomes behind the last checkpoint were written without the key: unsigned")
    func unsignedTail() throws {
        try Scene.play { scene in
            let home = try filled(scene)
            let keyless = try CaseStore(at: scene.root, host: Scene.host, key: nil, spools: nil).open(home.id)
            try keyless.journal.append([scene.draft(.note, 11)])
            #expect(try home.journal.verify().standing == .sound)
            try keyless.journal.append([scene.draft(.outcome, 12)])
            #expect(try home.journal.verify().standing == .unsigned)
            #expect(try home.journal.verify().firstUnsigned == 17)
        }
    }

    @Test("RT15 a database restored from a copy is older than a checkpoint that was announced")
    func restored() throws {
        try Scene.play { scene in
            let announced = Announced()
            let store = try scene.store { announced.add($0) }
            let home = try store.create(CaseID("case-1"), by: Scene.person)
            try home.journal.append([scene.draft(.outcome, 1)])
            try home.journal.append([scene.draft(.outcome, 2)])
            try tamper(home, "DELETE FROM entry WHERE sequence > 3")
            _ = home.folder.appending("checkpoints.jsonl").withCString { unlink($0) }
            #expect(announced.notes.count == 2)
            #expect(!(try home.journal.verify(notes: announced.notes).isSound))
        }
    }

    @Test("a checkpoint by another key is not trusted")
    func foreignKey() throws {
        try Scene.play { scene in
            let home = try filled(scene)
            let other = try SigningKey.generate().verifyingKey
            let problems = try home.journal.verify(keys: [other]).problems
            #expect(problems.contains { $0.text.contains("that no trusted key signed") })
        }
    }

    @Test("exported lines verify without a database, and each flipped byte is seen")
    func exported() throws {
        try Scene.play { scene in
            let home = try filled(scene)
            let keys = [try scene.store().key].compactMap(\.?.verifyingKey)
            let bytes = try home.journal.export()
            let found = ExportedJournal.verify(bytes, of: home.id, keys: keys)
            #expect(found.isSound)
            #expect(found.entries.count == 15)
            let last = try #require(try home.journal.lastCheckpoint())
            for index in stride(from: 0, to: bytes.count, by: 7) {
                var mutated = bytes
                mutated[index] ^= 1
                let result = ExportedJournal.verify(mutated, of: home.id, keys: keys, notes: [last])
                let isInTail = index > bytes.count - 300
                #expect(!result.isSound || isInTail, "byte \(index)")
            }
            let other = try #require(CaseID("case-2"))
            #expect(!ExportedJournal.verify(bytes, of: other, keys: keys).isSound)
            #expect(!ExportedJournal.verify(bytes.dropLast(2) + [], of: home.id, keys: keys).isSound)
        }
    }

    @Test("writers on two connections at once make one chain")
    func concurrent() throws {
        try Scene.play { scene in
            let store = try scene.store(busyTimeout: .seconds(30))
            let first = try store.create(CaseID("case-1"), by: Scene.person)
            let second = try store.open(first.id)
            let failures = Atomic<Int>(0)
            let counter = Monitor(0)
            for home in [first, second] {
                try OwnedThread { [scene] in
                    for number in 0..<50 {
                        do { try home.journal.append([scene.draft(.note, Int64(number))]) } catch {
                            failures.add(1, ordering: .relaxed)
                        }
                    }
                    counter.with { $0 += 1 }
                }.detach()
            }
            #expect(counter.wait(until: Deadline(after: .seconds(60))) { $0 == 2 ? true : nil } == true)
            #expect(failures.load(ordering: .relaxed) == 0)
            let found = try first.journal.verify()
            #expect(found.isSound)
            #expect(found.entries.count == 101)
        }
    }
}

private final class Announced: Sendable {
    private let list = Mutex<[SignedNote]>([])
    func add(_ note: SignedNote) { list.withLock { $0.append(note) } }
    var notes: [SignedNote] { list.withLock { $0 } }
}
