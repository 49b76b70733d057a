import Base
import Casework
import Testing

@testable import Engine

/// RT16: what counts as a capture.
@Suite("Gate")
struct GateTests {
    /// Freezes, records `capture` unless it is nil, runs `between`, then tries to kill.
    private func tryKill(
        capture: CaptureRecord?,
        freezeFirst: Bool = true,
        waiver: String? = nil,
        between: (Scene, Case) throws -> Void = { _, _ in },
        reverify: @escaping @Sendable (CaptureRecord) throws(Failure) -> Void = { _ in }
    ) throws -> (result: SingleResult<Fake<Kill>.Output>, lines: [String]) {
        try Scene.play { scene in
            let home = try scene.home()
            if freezeFirst { try freeze(scene, home) }
            if let capture { try home.record(capture, by: Scene.person) }
            try between(scene, home)
            let kill = Single(in: home, by: Scene.person, waiver: waiver, reverify: reverify)
            let result = kill.run(Fake<Kill>(world: scene.world), .init(lines: ["killed"]))
            return (result, scene.world.lines.filter { $0 == "killed" })
        }
    }

    private func freeze(_ scene: Scene, _ home: Case) throws {
        let single = Single(in: home, by: Scene.person)
        #expect(single.run(Fake<Freeze>(world: scene.world), .init(lines: ["frozen"])).outcome == .done)
    }

    private func expectRefused(
        _ attempt: (result: SingleResult<Fake<Kill>.Output>, lines: [String]),
        _ word: String
    ) {
        #expect(attempt.result.step.state == .refused)
        #expect(attempt.result.outcome == .refused)
        #expect(attempt.result.step.failure?.reason.contains(word) == true, "\(attempt.result.step)")
        #expect(attempt.lines.isEmpty)
    }

    @Test("RT16 a verified standard capture of the frozen session permits its destruction")
    func counts() throws {
        let attempt = try tryKill(capture: fakeCapture())
        #expect(attempt.result.outcome == .done)
        #expect(attempt.lines == ["killed"])
    }

    @Test("RT16 without a capture nothing is destroyed, and the hint names the capture to make")
    func none() throws {
        let attempt = try tryKill(capture: nil)
        expectRefused(attempt, "no capture")
        #expect(attempt.result.step.failure?.hint?.hasPrefix("quell capture pid:7 --case ") == true)
    }

    @Test("RT16 a volatile capture is too little to destroy")
    func volatile() throws { expectRefused(try tryKill(capture: fakeCapture(.volatile)), "is volatile, not standard") }

    @Test("RT16 a volatile capture behind a standard one takes nothing from it, and a refusal speaks of the newest")
    func notTheNewest() throws {
        let attempt = try tryKill(capture: fakeCapture()) { _, home in
            for _ in 0..<2 { try home.record(fakeCapture(.volatile), by: Scene.person) }
        }
        #expect(attempt.result.outcome == .done)
        #expect(attempt.lines == ["killed"])
        let refused = try tryKill(capture: fakeCapture(isComplete: false)) { _, home in
            try home.record(fakeCapture(.volatile), by: Scene.person)
        }
        expectRefused(refused, "is volatile, not standard")
    }

    @Test("RT16 a capture of another session does not count")
    func otherPins() throws {
        expectRefused(try tryKill(capture: fakeCapture(pin: fakePin(inode: 8))), "another session")
    }

    @Test("RT16 a drill's and an imported capture do not count")
    func purposes() throws {
        expectRefused(try tryKill(capture: fakeCapture(purpose: .drill)), "drill")
        expectRefused(try tryKill(capture: fakeCapture(purpose: .foreign)), "imported")
    }

    @Test("RT16 a capture without all required classes does not count")
    func incomplete() throws {
        expectRefused(try tryKill(capture: fakeCapture(isComplete: false)), "required class")
    }

    @Test("RT16 a capture that no longer verifies from disk does not count")
    func notVerified() throws {
        let attempt = try tryKill(
            capture: fakeCapture(),
            reverify: { record throws(Failure) in
                throw Failure(.notVerified, "verify", on: record.bundle, because: "a byte was flipped")
            }
        )
        expectRefused(attempt, "a byte was flipped")
    }

    @Test("RT16 a capture of a session that is not frozen does not count")
    func notFrozen() throws {
        expectRefused(try tryKill(capture: fakeCapture(), freezeFirst: false), "not frozen")
    }

    @Test("RT16 a capture older than a thaw does not count, even when it was frozen again")
    func olderThanThaw() throws {
        let attempt = try tryKill(capture: fakeCapture()) { scene, home in
            let thaw = Single(in: home, by: Scene.person, reverify: { _ in })
            #expect(thaw.run(Fake<Thaw>(world: scene.world), .init(lines: ["thawed"])).outcome == .done)
            try freeze(scene, home)
        }
        expectRefused(attempt, "before the freeze")
    }

    @Test("RT16 RT28 what the action sees to have happened since the capture refuses it, and a waiver goes before")
    func brokenOutside() throws {
        try Scene.play { scene in
            let home = try scene.home()
            try freeze(scene, home)
            try home.record(fakeCapture(), by: Scene.person)
            var action = Fake<Kill>(world: scene.world)
            action.sinceCapture = { capture throws(Failure) in
                throw Failure(.refused, "kill", on: capture.bundle, because: "it ran meanwhile")
            }
            let refused = Single(in: home, by: Scene.person, reverify: { _ in }).run(action, .init(lines: ["killed"]))
            #expect(refused.outcome == .refused)
            #expect(refused.step.failure?.reason == "it ran meanwhile")
            #expect(scene.world.lines == ["frozen"])
            let waived = Single(in: home, by: Scene.person, waiver: "known", reverify: { _ in })
            #expect(waived.run(action, .init(lines: ["killed"])).outcome == .done)
        }
    }

    @Test("RT16 a thaw that was refused does not end the freeze")
    func refusedThaw() throws {
        let attempt = try tryKill(capture: nil) { scene, home in
            let thaw = Single(in: home, by: Scene.person)
            #expect(thaw.run(Fake<Thaw>(world: scene.world), .init(lines: ["thawed"])).step.state == .refused)
            try home.record(fakeCapture(), by: Scene.person)
        }
        #expect(attempt.result.outcome == .done)
    }

    @Test("a waiver with a reason permits, stands in the journal, and holds for its run alone")
    func waiver() throws {
        let attempt = try tryKill(capture: nil, waiver: "it mines coins") { scene, home in
            let other = Single(in: home, by: Scene.person, waiver: "another run")
            #expect(other.run(Fake<Kill>(world: scene.world), .init(lines: ["other"])).outcome == .done)
            let without = Single(in: home, by: Scene.person)
            #expect(without.run(Fake<Kill>(world: scene.world), .init(lines: ["x"])).step.state == .refused)
        }
        #expect(attempt.result.outcome == .done)
    }

    @Test("a journal whose checkpoints no trusted key signed permits nothing")
    func alteredJournal() throws {
        try Scene.play { scene in
            let home = try scene.home()
            try freeze(scene, home)
            try home.record(fakeCapture(), by: Scene.person)
            let stranger = try scene.homeWithoutItsKey()
            let kill = Single(in: stranger, by: Scene.person, reverify: { _ in })
            let result = kill.run(Fake<Kill>(world: scene.world), .init(lines: ["killed"]))
            #expect(result.step.failure?.code == .notVerified)
            #expect(!scene.world.lines.contains("killed"))
        }
    }

    @Test("containment alone refuses what needs evidence, and an action that asks for too little is not registered")
    func tooLittle() throws {
        try Scene.play { scene in
            let home = try scene.home()
            let journal = ContainmentJournal(
                about: [fakePin(inode: 7)],
                spools: scene.folder.appending("run"),
                patience: .seconds(5),
                sink: { _ in },
                open: { () throws(Failure) in home }
            )
            let single = Single(containingWith: journal, by: Scene.person)
            #expect(single.run(Fake<Freeze>(world: scene.world), .init(lines: ["frozen"])).outcome == .done)
            #expect(single.run(Fake<Kill>(world: scene.world), .init(lines: ["killed"])).step.state == .refused)
            #expect(scene.world.lines == ["frozen"])
            _ = journal.settle(within: .seconds(5))
            #expect(try home.journal.verify().isSound)
        }
        var registry = ActionRegistry()
        let world = FakeWorld(path: BytePath("/nowhere"))
        #expect(throws: Failure.self) { try registry.register(Fake<Careless>(world: world)) }
    }
}

private enum Careless: FakeKind {
    static let descriptor = ActionDescriptor(
        name: "careless",
        summary: "destroy at once",
        nature: .destroys,
        lane: .containment,
        deadline: .seconds(1),
        evidence: .stateInIntents
    )
}
