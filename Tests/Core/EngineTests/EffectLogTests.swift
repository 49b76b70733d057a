import Base
import Casework
import Synchronization
import Testing

@testable import Engine

@Suite("the log of effects")
struct EffectLogTests {
    @Test("of a batch in which one effect is refused the journal says of each what became of it")
    func refusedInBatch() throws {
        try Scene.play { scene in
            let home = try scene.home()
            let action = Fake<Freeze>(world: scene.world, refused: ["b"])
            let result = Single(in: home, by: Scene.person).run(action, .init(lines: ["first", "a", "b", "c"]))
            #expect(result.outcome == .done)
            #expect(scene.world.lines == ["first", "a", "c"])
            let outcomes = try home.journal.entries().filter { $0.kind == .outcome }.map(\.body)
            #expect(outcomes.map { $0["state"]?.string } == ["done", "done", "notDone", "done"])
            #expect(outcomes.map { $0["failure"] != nil } == [false, false, true, false])
        }
    }

    @Test("only effects that all end with the machine go ahead of the disk; of what lasts the intent is there before")
    func ahead() throws {
        let writer = Writer()
        let record = StepRecord(writer, by: Scene.person, run: "run-1", step: "s")
        let log = EffectLog<String>(
            record,
            endsWithMachine: { $0.hasPrefix("kernel") },
            entry: { .string($0) },
            probe: { _ in .cannotTell }
        )
        try log.apply(["kernel a", "kernel b"]) { () throws(Failure) in writer.note("acted") }
        try log.apply(["kernel c", "file"]) { () throws(Failure) in writer.note("acted") }
        let first = ["ahead intent intent", "acted", "outcome outcome"]
        #expect(writer.seen == first + ["intent intent", "acted", "outcome outcome"])
    }

    /// Says what it was given, and how.
    private final class Writer: JournalWriter {
        private let list = Mutex<[String]>([])
        var seen: [String] { list.withLock { $0 } }

        func note(_ text: String) { list.withLock { $0.append(text) } }
        func append(_ drafts: [EntryDraft]) { note(drafts.map(\.kind.rawValue).joined(separator: " ")) }
        func appendAhead(_ drafts: [EntryDraft]) {
            note("ahead " + drafts.map(\.kind.rawValue).joined(separator: " "))
        }
    }
}
