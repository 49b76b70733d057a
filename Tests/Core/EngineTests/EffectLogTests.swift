import Base
import Casework
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
}
