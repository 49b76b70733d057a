import Base
import Casework
import Glibc
import Synchronization
import Testing

@testable import Engine

@Suite("Runner")
struct RunnerTests {
    private func run(
        _ steps: [StepGraph.Step],
        _ scene: Scene,
        change: (inout RunContext) throws -> Void = { _ in }
    ) throws -> RunResult {
        var context = try scene.context(scene.home())
        try change(&context)
        return try Runner(context).run(StepGraph(name: "test", steps: steps))
    }

    /// A registry whose freeze and revoke do something before they act.
    private func registry(
        _ scene: Scene,
        freeze: @escaping @Sendable (Scope) throws(Failure) -> Void = { _ in },
        revoke: @escaping @Sendable (Scope) throws(Failure) -> Void = { _ in },
        verdict: Verdict = .holds
    ) throws -> ActionRegistry {
        var registry = ActionRegistry()
        try registry.register(Fake<Freeze>(world: scene.world, before: freeze, verdict: verdict))
        try registry.register(Fake<Revoke>(world: scene.world, before: revoke))
        try registry.register(Fake<Look>(world: scene.world))
        return registry
    }

    private static let broken: @Sendable (Scope) throws(Failure) -> Void = { _ throws(Failure) in
        throw Failure(.system, "freeze", on: "a7", because: "it is broken")
    }

    @Test("independent steps run at once: each waits for the other to have started")
    func concurrency() throws {
        try Scene.play { scene in
            let meeting = Monitor(0)
            let meet: @Sendable (Scope) throws(Failure) -> Void = { scope throws(Failure) in
                meeting.with { $0 += 1 }
                guard meeting.wait(until: scope.deadline, { $0 >= 2 ? true : nil }) == true else {
                    throw Failure(.timedOut, "meet", on: "the other step", because: "it never started")
                }
            }
            let result = try run([step("freeze", ["a"]), step("revoke", ["b"])], scene) { context in
                context.registry = try registry(scene, freeze: meet, revoke: meet)
            }
            #expect(result.steps.map(\.state) == [.succeeded, .succeeded])
        }
    }

    @Test("a lane has no more threads than it should: two freezes never overlap")
    func lanes() throws {
        try Scene.play { scene in
            let inside = Atomic<Int>(0)
            let most = Atomic<Int>(0)
            let count: @Sendable (Scope) throws(Failure) -> Void = { _ in
                let now = inside.add(1, ordering: .relaxed).newValue
                most.max(now, ordering: .relaxed)
                sched_yield()
                inside.subtract(1, ordering: .relaxed)
            }
            let steps = (0..<6).map { step("f\($0)", does: "freeze", ["\($0)"]) }
            let result = try run(steps, scene) { $0.registry = try registry(scene, freeze: count) }
            #expect(result.outcome == .done)
            #expect(most.load(ordering: .relaxed) == 1)
        }
    }

    @Test("a step past its deadline is timed out, and what needs it is skipped while what comes after it runs")
    func timeout() throws {
        try Scene.play { scene in
            let steps = [
                step("freeze", ["a"], timeout: .milliseconds(1)),
                step("needy", does: "revoke", ["b"], needs: ["freeze"]),
                step("patient", does: "revoke", ["c"], after: ["freeze"]),
            ]
            let result = try run(steps, scene) { context in
                context.registry = try registry(scene) { scope in while !scope.deadline.hasPassed { sched_yield() } }
            }
            #expect(result.steps.map(\.state) == [.timedOut, .skipped, .succeeded])
            #expect(result.outcome == .partial)
            #expect(scene.world.lines == ["c"])
        }
    }

    @Test("onFailure: stop keeps later steps from starting, continue does not")
    func onFailure() throws {
        for (onFailure, state) in [(StepGraph.OnFailure.stop, StepState.skipped), (.continue, .succeeded)] {
            try Scene.play { scene in
                let steps = [step("freeze", ["a"], onFailure: onFailure), step("revoke", ["b"], after: ["freeze"])]
                let result = try run(steps, scene) { $0.registry = try registry(scene, freeze: Self.broken) }
                #expect(result.steps.map(\.state) == [.failed, state])
                #expect(result.outcome == .failed)
            }
        }
    }

    @Test("a retry does not repeat what the first attempt did")
    func retries() throws {
        try Scene.play { scene in
            let attempts = Atomic<Int>(0)
            var world = scene.world
            world.afterEffect = { _ in }
            let flaky: @Sendable (Scope) throws(Failure) -> Void = { scope throws(Failure) in
                if attempts.add(1, ordering: .relaxed).newValue < 3 { try Self.broken(scope) }
            }
            let result = try run([step("freeze", ["a", "b"], retries: 2)], scene) { context in
                context.registry = try registry(scene, freeze: flaky)
            }
            #expect(result.steps.map(\.state) == [.succeeded])
            #expect(attempts.load(ordering: .relaxed) == 3)
            #expect(scene.world.lines == ["a", "b"])
        }
    }

    @Test("a cancelled run starts nothing new and compensates nothing")
    func cancelled() throws {
        try Scene.play { scene in
            let cancellation = Cancellation()
            let result = try run([step("freeze", ["a"]), step("revoke", ["b"], after: ["freeze"])], scene) { context in
                context.cancellation = cancellation
                context.observe = { event in if case .ended = event { cancellation.cancel() } }
            }
            #expect(result.steps.map(\.state) == [.succeeded, .cancelled])
            #expect(result.outcome == .cancelled)
            #expect(scene.world.lines == ["a"])
            var poll = pollfd(fd: cancellation.descriptor, events: Int16(POLLIN), revents: 0)
            #expect(Glibc.poll(&poll, 1, 0) == 1)
        }
    }

    @Test("who waits is woken by a cancellation, before it and after, and by the deadline")
    func wakes() async {
        let cancellation = Cancellation()
        #expect(!cancellation.wait(until: Deadline(after: .milliseconds(10))))
        // The time that the waiting took, not until somebody had a thread to look: the tests share two.
        let waiting = Task.detached {
            let began = Deadline.monotonicNow()
            let isWoken = cancellation.wait(until: Deadline(after: .seconds(60)))
            return (isWoken, Deadline.monotonicNow() - began)
        }
        // Most likely it waits by now; it must end just as well if it does not.
        usleep(50_000)
        cancellation.cancel()
        let (isWoken, nanoseconds) = await waiting.value
        #expect(isWoken && nanoseconds < 30_000_000_000)
        let began = Deadline.monotonicNow()
        #expect(cancellation.wait(until: Deadline(after: .seconds(60))))
        #expect(Deadline.monotonicNow() - began < 30_000_000_000)
    }

    @Test("what the world does not bear out is partial or failed, whatever perform said")
    func verdicts() throws {
        for (verdict, state) in [
            (Verdict.partly(["one stray runs"]), StepState.partial), (.fails(["it runs"]), .failed),
        ] {
            try Scene.play { scene in
                let result = try run([step("freeze", ["a"])], scene) { context in
                    context.registry = try registry(scene, verdict: verdict)
                }
                #expect(result.steps.map(\.state) == [state])
                #expect(result.steps.first?.reasons.isEmpty == false)
            }
        }
    }

    @Test("outputs pass to later steps, and conditions read them")
    func outputs() throws {
        try Scene.play { scene in
            let reference = OutputReference(step: "freeze", field: "lines")
            let steps = [
                step("freeze", ["a", "b"]),
                step("revoke", [], needs: ["freeze"], with: reference, prefix: "x-"),
                step("never", does: "isolate", ["c"], after: ["freeze"], when: .not(.isFilled(reference))),
                step("always", does: "isolate", ["d"], after: ["freeze"], when: .ended(step: "freeze", in: .succeeded)),
            ]
            let result = try run(steps, scene)
            #expect(result.steps.map(\.state) == [.succeeded, .succeeded, .skipped, .succeeded])
            #expect(scene.world.lines.sorted() == ["a", "b", "d", "x-a", "x-b"])
        }
    }

    @Test("graphs with unknown, missing or circular parts are refused with the step and the member")
    func problems() throws {
        try Scene.play { scene in
            let registry = try scene.context(scene.home()).registry
            func problem(_ steps: StepGraph.Step...) -> String? {
                StepGraph(name: "g", steps: steps).problems(against: registry).first.map {
                    "\($0.step) \($0.member): \($0.text)"
                }
            }
            #expect(problem(step("freeze", ["a"])) == nil)
            #expect(problem(step("a", ["x"])) == "a action: there is no action a")
            #expect(problem(step("freeze", [], needs: ["b"])) == "freeze needs: there is no step b")
            let circle = [step("freeze", [], after: ["revoke"]), step("revoke", [], needs: ["freeze"])]
            #expect(problem(circle[0], circle[1]) == "freeze needs: it waits for itself")
            #expect(problem(step("freeze", []), step("freeze", [])) == "freeze id: the id stands twice")
            let unordered = step("revoke", [], with: .init(step: "freeze", field: "lines"))
            #expect(problem(step("freeze", []), unordered)?.contains("does not run before") == true)
            let unknown = step("revoke", [], needs: ["freeze"], with: .init(step: "freeze", field: "nothing"))
            #expect(problem(step("freeze", []), unknown) == "revoke lines: freeze has no output nothing")
            let bare = StepGraph.Step(id: "freeze", action: "freeze", parameters: ["line": 1])
            #expect(problem(bare) == "freeze line: freeze has no such parameter")
        }
    }

    @Test("RT17 a plan's digest is the same for the same decisions, and an approved plan binds")
    func planned() throws {
        try Scene.play { scene in
            let context = try scene.context(scene.home())
            let graph = StepGraph(name: "g", steps: [step("freeze", ["a"])])
            let plan = try Planner(context.registry).plan(graph)
            #expect(plan.steps.first?.decisions == ["write a"])
            #expect(try Planner(context.registry).plan(graph).digest == plan.digest)
            let other = StepGraph(name: "g", steps: [step("freeze", ["b"])])
            let failure = #expect(throws: Failure.self) { try Runner(context).run(other, approvedPlan: plan.digest) }
            #expect(failure?.code == .refused)
            #expect(scene.world.lines.isEmpty)
            #expect(try Runner(context).run(graph, approvedPlan: plan.digest).outcome == .done)
        }
    }

    @Test("when the journal keeps no intent, the effect does not happen; when it keeps no outcome, that is told")
    func silentJournal() throws {
        for (kept, lines) in [(0, []), (1, ["revoked"])] {
            try Scene.play { scene in
                let execution = StepExecution(
                    writer: DyingJournal(appends: kept),
                    gate: nil,
                    actor: Scene.person,
                    run: "run-1",
                    waiver: nil,
                    clock: .system,
                    cancellation: Cancellation(),
                    observe: { _ in }
                )
                let action = AnyAction(Fake<Isolate>(world: scene.world))
                let end = execution.run(step("isolate", ["revoked"]), action, parameters: ["lines": ["revoked"]])
                #expect(end.result.state == .failed)
                #expect(end.journalFailure != nil)
                #expect(scene.world.lines == lines)
            }
        }
    }
}

/// Keeps so many appends, then none.
private final class DyingJournal: JournalWriter {
    private let left: Atomic<Int>

    init(appends: Int) { left = Atomic(appends) }

    func append(_ drafts: [EntryDraft]) throws(Failure) {
        guard left.subtract(1, ordering: .relaxed).newValue >= 0 else {
            throw Failure(.system, "write the journal", on: "case-1", because: "the disk is full")
        }
    }
}
