import Base
import Casework
import Engine
import Glibc
import Testing

@Suite("Undo and resume")
struct UndoTests {
    private static let graph = StepGraph(
        name: "g",
        steps: [step("isolate", ["a", "b"]), step("revoke", ["c"], needs: ["isolate"])]
    )

    @Test("undo takes effects back newest first, through the journal, and again does nothing")
    func newestFirst() throws {
        try Scene.play { scene in
            let context = try scene.context(scene.home())
            let run = try Runner(context).run(Self.graph)
            let undone = try UndoRun(context).undo(run.run)
            #expect(undone.steps.map(\.step) == ["revoke", "isolate"])
            #expect(undone.outcome == .done)
            #expect(scene.world.lines == ["a", "b", "c", "not c", "not b", "not a"])
            #expect(try UndoRun(context).undo(run.run).outcome == .done)
            #expect(scene.world.lines.count == 6)
            #expect(try context.home.journal.verify().isSound)
        }
    }

    @Test("what cannot be taken back is told")
    func irreversible() throws {
        try Scene.play { scene in
            var context = try scene.context(scene.home())
            var registry = ActionRegistry()
            try registry.register(Fake<Isolate>(world: scene.world, canUndo: false))
            context.registry = registry
            let run = try Runner(context).run(StepGraph(name: "g", steps: [step("isolate", ["a"])]))
            let undone = try UndoRun(context).undo(run.run)
            #expect(undone.steps.first?.state == .partial)
            #expect(undone.steps.first?.reasons == ["cannot be taken back: {\"write\":{\"_0\":\"a\"}}"])
        }
    }

    @Test("taking a freeze back is a thaw: refused without a capture, and it ends the freeze")
    func undoingAFreeze() throws {
        try Scene.play { scene in
            var context = try scene.context(scene.home())
            let run = try Runner(context).run(StepGraph(name: "g", steps: [step("freeze", ["frozen"])]))
            #expect(try UndoRun(context).undo(run.run).outcome == .refused)
            #expect(scene.world.lines == ["frozen"])
            try context.home.record(fakeCapture(), by: Scene.person)
            context.waiver = nil
            #expect(try UndoRun(context).undo(run.run).outcome == .done)
            let kill = Single(in: context.home, by: Scene.person, reverify: { _ in })
            let result = kill.run(Fake<Kill>(world: scene.world), .init(lines: ["killed"]))
            #expect(result.step.failure?.reason.contains("not frozen") == true)
        }
    }

    @Test("when nobody can tell what happened, the step is unknown after the crash and what needs it is skipped")
    func cannotTell() async throws {
        let scene = try Scene.make()
        defer { remove(scene.folder) }
        let folder = String(decoding: scene.folder.bytes, as: UTF8.self)
        await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
            let scene = Scene(folder: BytePath(folder), caseID: try #require(CaseID("case-1")))
            var world = scene.world
            world.afterEffect = { _ in kill(getpid(), SIGKILL) }
            _ = try Runner(scene.context(scene.home(), world: world)).run(UndoTests.graph)
        }
        var context = try scene.context(scene.home())
        var registry = ActionRegistry()
        try registry.register(Fake<Isolate>(world: scene.world, probeSays: .cannotTell))
        try registry.register(Fake<Revoke>(world: scene.world))
        context.registry = registry
        let results = try Recovery(context).resume()
        #expect(results.first?.steps.map(\.state) == [.unknownAfterCrash, .skipped])
        #expect(results.first?.outcome == .failed)
        #expect(scene.world.lines == ["a"])
    }

    @Test(
        "RT20 a case of another machine or an earlier boot is neither resumed nor undone",
        arguments: [HostIdentity(machine: "m2", bootID: "boot-1"), HostIdentity(machine: "m1", bootID: "boot-2")]
    )
    func foreignCase(host: HostIdentity) throws {
        try Scene.play { scene in
            let run = try Runner(scene.context(scene.home())).run(Self.graph).run
            let context = try scene.context(scene.home(host: host))
            #expect(#expect(throws: Failure.self) { try Recovery(context).resume() }?.code == .refused)
            #expect(#expect(throws: Failure.self) { try UndoRun(context).undo(run) }?.code == .refused)
            #expect(scene.world.lines == ["a", "b", "c"])
        }
    }
}
