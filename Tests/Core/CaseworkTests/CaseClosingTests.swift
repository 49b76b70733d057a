import Base
import Glibc
import Testing

@testable import Casework

@Suite("the end of a case")
struct CaseClosingTests {
    private func mark(of home: Case) -> BytePath { home.folder.appending("closed") }

    @Test("a case that is closed by its journal alone, because a crash kept the mark from being written, is closed")
    func withoutMark() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let home = try store.create(about: [Scene.pin], by: Scene.person)
            try home.close(because: "done", by: Scene.person)
            try #require(mark(of: home).withCString { unlink($0) } == 0)
            #expect(try store.list().map(\.isClosed) == [true])
            #expect(try store.join([Scene.pin]) == nil)
            #expect(throws: Failure.self) { try store.open(home.id, toActOn: [Scene.pin]) }
            try home.close(because: "done", by: Scene.person)
            #expect(ClosedMark.of(home.folder) == .closed)
            #expect(try home.journal.notes(about: "case-closed").count == 1)
            #expect(throws: Failure.self) { try home.close(because: "done", by: Scene.person) }
        }
    }

    @Test("a case that was closed while it held a session is joined by whoever acts on it, and is open again")
    func holding() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let home = try store.create(about: [Scene.pin], by: Scene.person)
            try home.close(because: "done", holding: "the owner keeps it", by: Scene.person)
            #expect(try home.closing() == .init(reason: "done", isHolding: true))
            #expect(try store.list().map(\.isHolding) == [true])
            let stranger = SessionPin(bootID: "boot-1", cgroups: [], leader: ProcessPin(pid: 2, startTicks: 3))
            #expect(try store.join([stranger]) == nil)
            #expect(throws: Failure.self) { try store.open(home.id, toActOn: [stranger]) }
            let joined = try #require(try store.join([Scene.pin]))
            #expect(joined.id == home.id)
            #expect(joined.isReopened)
            #expect(try !joined.isClosed())
            #expect(ClosedMark.of(home.folder) == .open)
            #expect(try store.join([Scene.pin])?.isReopened == false)
            try joined.close(because: "done", holding: "still", by: Scene.person)
            #expect(try store.open(home.id, toActOn: [Scene.pin]).isReopened)
        }
    }

    @Test("an open case that holds the session goes before one that was closed while it held it")
    func openFirst() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let closed = try store.create(CaseID("a-1"), about: [Scene.pin], by: Scene.person)
            try closed.close(because: "done", holding: "so be it", by: Scene.person)
            let open = try store.create(CaseID("b-1"), about: [Scene.pin], by: Scene.person)
            #expect(try store.join([Scene.pin])?.id == open.id)
            #expect(try closed.isClosed())
        }
    }
}
