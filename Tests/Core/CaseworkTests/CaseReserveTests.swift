import Base
import Casework
import Glibc
import Synchronization
import Testing

/// What a thread waits at.
private final class Gate: Sendable {
    let isOpen = Atomic(false)
}

@Suite("Case reserve")
struct CaseReserveTests {
    @Test("a new case is made of the reserve, whole, and the next of the next")
    func taken() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let reserve = store.root.appending("reserve/case.sqlite")
            for turn in 1...2 {
                try store.fillReserve()
                try store.fillReserve()
                let expected = try #require(self.inode(reserve), "there is a reserve")
                let made = try store.create(about: [Scene.pin], reason: "turn \(turn)", by: Scene.person)
                #expect(self.inode(made.folder.appending("case.sqlite")) == expected)
                #expect(self.inode(reserve) == nil)
                let opened = try store.open(made.id)
                #expect(try opened.opening().reason == "turn \(turn)")
                #expect(try opened.journal.verify().isSound)
            }
            #expect(try store.list().count == 2)
        }
    }

    @Test("a case whose name was lost with the power, so that it is the reserve again, gets its name back")
    func nameLost() throws {
        try Scene.play { scene in
            let store = try scene.store()
            try store.fillReserve()
            let lost = try store.create(about: [Scene.pin], reason: "lost", by: Scene.person)
            let reserve = store.root.appending("reserve")
            try store.fillReserve()
            let spare = store.root.appending("spare")
            #expect(reserve.withCString { from in spare.withCString { rename(from, $0) } } == 0)
            #expect(lost.folder.withCString { from in reserve.withCString { rename(from, $0) } } == 0)

            let next = try store.create(reason: "next", by: Scene.person)
            #expect(next.id != lost.id)
            #expect(Set(try store.list().map(\.id)) == [lost.id, next.id])
            #expect(try store.open(lost.id).opening().reason == "lost")
            for id in [lost.id, next.id] { #expect(try store.open(id).journal.verify().isSound, "\(id)") }
        }
    }

    @Test("a reserve that cannot be used is passed over, and a draft that a crash left is made anew")
    func unusable() throws {
        try Scene.play { scene in
            let store = try scene.store()
            for folder in ["reserve", "reserve.new"] {
                _ = store.root.appending(folder).withCString { mkdir($0, 0o700) }
                let file = store.root.appending(folder).appending("case.sqlite")
                let descriptor = file.withCString { open($0, O_WRONLY | O_CREAT, 0o600) }
                let junk = [UInt8](repeating: 0x41, count: 8192)
                #expect(write(descriptor, junk, junk.count) == junk.count)
                close(descriptor)
            }
            let made = try store.create(about: [Scene.pin], by: Scene.person)
            #expect(try store.join([Scene.pin])?.id == made.id)
            try store.fillReserve()
            let second = try store.create(by: Scene.person)
            #expect(try store.open(second.id).journal.verify().isSound)
        }
    }

    @Test("a head start becomes the new case, or joins the open one and leaves nothing")
    func headStart() throws {
        try Scene.play { scene in
            let store = try scene.store()
            try store.fillReserve()
            let first = try CaseHeadStart { store }.home(about: [Scene.pin], reason: "first", by: Scene.person)
            #expect(try first.opening().reason == "first")
            let again = try CaseHeadStart { store }.home(about: [Scene.pin], reason: "again", by: Scene.person)
            #expect(again.id == first.id)
            #expect(try store.list().map(\.id) == [first.id])
        }
    }

    @Test("a head start that nobody wants becomes the reserve again, in time and late")
    func abandoned() throws {
        try Scene.play { scene in
            let store = try scene.store()
            let reserve = store.root.appending("reserve/case.sqlite")
            let start = CaseHeadStart { store }
            start.abandon(within: .seconds(10))
            #expect(inode(reserve) != nil)
            #expect(try store.list().isEmpty)

            // The second is held until it was abandoned; then it takes the reserve, and must bring it back.
            let gate = Gate()
            var token: Gate? = Gate()
            weak let held = token
            let late = CaseHeadStart { [token] in
                while !gate.isOpen.load(ordering: .acquiring) { sched_yield() }
                _ = token
                return store
            }
            token = nil
            late.abandon(within: .zero)
            let before = lastChange(store.root.appending("reserve"))
            gate.isOpen.store(true, ordering: .releasing)
            // Its thread has ended when nobody holds what it was given. Taking the reserve and bringing it back are renames,
            // which show in its time of change.
            let deadline = Deadline(after: .seconds(10))
            while held != nil, !deadline.hasPassed { sched_yield() }
            #expect(lastChange(store.root.appending("reserve")) != before)
            #expect(inode(reserve) != nil)
            #expect(try store.list().isEmpty)
        }
    }

    @Test("a head start without a usable store says why")
    func failing() throws {
        let failure = #expect(throws: Failure.self) {
            let start = CaseHeadStart { () throws(Failure) in
                throw Failure(.refused, "open the store", on: "x", because: "it is full")
            }
            _ = try start.home(about: [], reason: "", by: Scene.person)
        }
        #expect(failure?.reason == "it is full")
    }

    private func inode(_ path: BytePath) -> UInt64? {
        var status = stat()
        return path.withCString { lstat($0, &status) } == 0 ? UInt64(status.st_ino) : nil
    }

    private func lastChange(_ path: BytePath) -> [Int] {
        var status = stat()
        guard path.withCString({ lstat($0, &status) }) == 0 else { return [] }
        return [status.st_ctim.tv_sec, status.st_ctim.tv_nsec]
    }
}
