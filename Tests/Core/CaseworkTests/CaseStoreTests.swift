import Base
import Casework
import Glibc
import Sealing
import Testing

@Suite("Case store")
struct CaseStoreTests {
    @Test("a new case opens again with its subjects, and files are closed to others")
    func roundTrip() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let made = try store.create(about: [Scene.pin], reason: "exfiltration", by: Scene.person)
            let opened = try store.open(made.id)
            #expect(try opened.subjects() == [Scene.pin])
            #expect(try opened.opening().reason == "exfiltration")
            #expect(try opened.opening().host == Scene.host)
            #expect(mode(made.folder) == 0o700)
            for name in ["case.sqlite", "case.sqlite-wal"] {
                #expect(mode(made.folder.appending(name)) == 0o600, "\(name)")
            }
        }
    }

    @Test("the verbs join the open case that holds the same session, and no closed one; a closed one takes no note")
    func joining() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let home = try store.create(about: [Scene.pin], by: Scene.person)
            let sameLeader = SessionPin(bootID: "boot-1", cgroups: [], leader: Scene.pin.leader)
            #expect(try store.join([sameLeader])?.id == home.id)
            let otherBoot = SessionPin(bootID: "boot-2", cgroups: Scene.pin.cgroups, leader: Scene.pin.leader)
            #expect(try store.join([otherBoot]) == nil)
            try home.close(because: "done", by: Scene.person)
            #expect(try store.join([sameLeader]) == nil)
            #expect(throws: Failure.self) { try home.close(because: "again", by: Scene.person) }
            let entries = try home.journal.entries().count
            let failure = #expect(throws: Failure.self) { try home.note("one thing more", by: Scene.person) }
            #expect(failure?.code == .refused)
            #expect(failure?.hint == "quell case list")
            #expect(try home.journal.entries().count == entries)
            #expect(try store.list().map(\.isClosed) == [true])
            #expect(try home.journal.verify().unsignedTail.isEmpty)
        }
    }

    @Test("a case is joined by every pin it ever got, with its marks of them, without and when they are torn")
    func marks() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let home = try store.create(about: [Scene.pin], by: Scene.person)
            let later = SessionPin(bootID: "boot-1", cgroups: [], leader: ProcessPin(pid: 41, startTicks: 100))
            let never = SessionPin(bootID: "boot-1", cgroups: [], leader: ProcessPin(pid: 41, startTicks: 101))
            try home.add([later], by: Scene.person)
            let file = home.folder.appending("subjects")
            func expectRight() throws {
                #expect(try store.join([Scene.pin])?.id == home.id)
                #expect(try store.join([later])?.id == home.id)
                #expect(try store.join([never]) == nil)
            }
            try expectRight()
            #expect(mode(file) == 0o600)
            #expect(file.withCString { truncate($0, 20) } == 0)
            try expectRight()
            #expect(file.withCString { unlink($0) } == 0)
            try expectRight()
            // Marks that are made anew hold the earlier pins too.
            try home.add([SessionPin(bootID: "boot-1", cgroups: [], leader: nil)], by: Scene.person)
            #expect(mode(file) == 0o600)
            try expectRight()
        }
    }

    @Test("a case whose marks are of other sessions is not opened to look for this one")
    func marksExclude() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let home = try store.create(about: [Scene.pin], by: Scene.person)
            let file = home.folder.appending("subjects").withCString { open($0, O_WRONLY | O_TRUNC) }
            #expect(write(file, "boot-1 v2 8\n", 12) == 12)
            close(file)
            #expect(try store.join([Scene.pin]) == nil)
        }
    }

    @Test("RT41 a store that others can open is refused, with the chmod to run", arguments: [0o755, 0o710, 0o701])
    func openStore(permissions: Int) throws {
        try Scene.play { scene in
            let store = try scene.store()
            setMode(mode_t(permissions), scene.root)
            let failure = #expect(throws: Failure.self) { try store.create(by: Scene.person) }
            #expect(failure?.code == .refused)
            #expect(failure?.hint?.contains("chmod 700") == true)
        }
    }

    @Test("RT41 a key that others can open keeps the store from opening")
    func openKey() throws {
        try Scene.play { scene in
            _ = try scene.store()
            setMode(0o644, CaseStore.keyPath(in: scene.root))
            let failure = #expect(throws: Failure.self) { try CaseStore.loadKey(in: scene.root) }
            #expect(failure?.hint?.hasPrefix("chmod 600") == true)
        }
    }

    @Test("initialising twice keeps the key; a store without one has none")
    func initialising() throws {
        try Scene.play { scene in
            #expect(try CaseStore.loadKey(in: scene.root) == nil)
            let first = try CaseStore.initialise(at: scene.root)
            #expect(try CaseStore.initialise(at: scene.root).verifyingKey == first.verifyingKey)
        }
    }

    @Test("a missing case, and a store that is not there, are told as such")
    func missing() throws {
        try Scene.play { scene in
            let id = try #require(CaseID("case-9"))
            let failure = try #require(#expect(throws: Failure.self) { try scene.store().open(id) })
            #expect(failure.code == .notFound)
            let nowhere = CaseStore(at: scene.folder.appending("none"), host: Scene.host, key: nil, spools: nil)
            #expect(try nowhere.list().isEmpty)
            #expect(try nowhere.join([Scene.pin]) == nil)
            #expect(#expect(throws: Failure.self) { try nowhere.open(id) }?.code == .notFound)
        }
    }

    @Test("a damaged case is listed with the reason, and does not keep others from being joined")
    func damaged() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let good = try store.create(CaseID("b-good"), about: [Scene.pin], by: Scene.person)
            let bad = store.cases.appending("a-bad")
            _ = bad.withCString { mkdir($0, 0o700) }
            let file = bad.appending("case.sqlite").withCString { open($0, O_WRONLY | O_CREAT, 0o600) }
            let junk = [UInt8](repeating: 0x41, count: 8192)
            #expect(write(file, junk, junk.count) == junk.count)
            close(file)
            #expect(try store.join([Scene.pin])?.id == good.id)
            let listed = try store.list()
            #expect(listed.map(\.id.text) == ["a-bad", "b-good"])
            #expect(throws: Failure.self) { try listed[0].result.get() }
        }
    }

    @Test("a case whose opening never reached the disk is told as unborn, joined by nobody, and its name is not reused")
    func unborn() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let home = try store.create(CaseID("c-born"), about: [Scene.pin], by: Scene.person)
            for name in ["a-folder", "b-empty"] { _ = store.cases.appending(name).withCString { mkdir($0, 0o700) } }
            let file = store.cases.appending("b-empty/case.sqlite")
            close(file.withCString { open($0, O_WRONLY | O_CREAT, 0o600) })
            let listed = try store.list()
            #expect(listed.map(\.isUnborn) == [true, true, false])
            #expect(listed.map(\.isClosed) == [false, false, false])
            let id = try #require(CaseID("b-empty"))
            let failure = #expect(throws: Failure.self) { try store.open(id) }
            #expect(failure?.code == .notFound)
            #expect(failure?.reason.contains("never reached the disk") == true)
            #expect(try store.join([Scene.pin])?.id == home.id)
            #expect(throws: Failure.self) { try store.create(id, by: Scene.person) }
        }
    }

    @Test(
        "RT14 a case's name has only a to z, 0 to 9 and single dashes",
        arguments: ["", "-a", "a-", "a--b", "A", "a b", "a$(id)", "a\n", "é", "a/b", "..", "a_b"]
    )
    func badNames(name: String) { #expect(CaseID(name) == nil) }

    @Test("RT14 names that Quell makes are of that form")
    func freshNames() {
        for _ in 0..<200 { #expect(CaseID(CaseID.fresh().text) != nil) }
    }

    @Test("captures and notes come back as they were recorded")
    func records() throws {
        try Scene.play { scene in
            let home = try scene.store().create(about: [Scene.pin], by: Scene.person)
            let root = try #require(Digest(bytes: [UInt8](repeating: 3, count: 32)))
            let capture = CaptureRecord(bundle: "b", root: root, pins: [Scene.pin], profile: .full, isComplete: true)
            try home.record(capture, by: Scene.person)
            try home.note("looks bad", by: Scene.person)
            #expect(try home.captures() == [capture])
            #expect(try home.journal.notes(about: "note").first?.body["text"]?.string == "looks bad")
        }
    }
}
