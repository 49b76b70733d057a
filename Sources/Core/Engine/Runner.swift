public import Base
import Casework

/// Runs a graph: independent steps at once, each on its action's lane, everything through the journal of the case. The
/// calling thread only decides; it returns when every step has ended, or waits for approval, and every thread is joined.
public struct Runner: Sendable {
    private let context: RunContext

    /// Takes the context.
    public init(_ context: RunContext) { self.context = context }

    /// Runs `graph` from its start. How steps end is in the result, not thrown.
    ///
    /// - Throws: `malformed` when the graph has problems, `refused` when the world is not what `approvedPlan` was made
    ///   from, or why the journal cannot be written; then nothing was done.
    public func run(_ graph: StepGraph, approvedPlan: Digest? = nil) throws(Failure) -> RunResult {
        try graph.check(against: context.registry)
        let run = RunID.fresh()
        let plan = try agreed(graph, approvedPlan)
        let start = try RunNotes.started(graph, by: context.actor, run: run, reason: context.reason, plan: plan)
        let lock = try context.home.lock(run: run, to: "run \(graph.name)")
        defer { lock.release() }
        try context.home.journal.append([start])
        return finish(graph, run: run, known: [:], earlier: [:])
    }

    private func agreed(_ graph: StepGraph, _ approved: Digest?) throws(Failure) -> Digest? {
        guard let approved else { return nil }
        let planner = Planner(context.registry, clock: context.clock, cancellation: context.cancellation)
        let seen = try planner.plan(graph).digest
        guard seen == approved else {
            throw Failure(
                .refused,
                "run \(graph.name)",
                on: "the plan",
                because: "it is \(seen) now, \(approved) was approved",
                hint: "look at the plan again with --plan"
            )
        }
        return seen
    }

    /// Runs what is left of a run.
    func finish(
        _ graph: StepGraph,
        run: String,
        known: [String: StepResult],
        earlier: [String: EarlierAttempts]
    ) -> RunResult {
        let schedule = Monitor(Schedule(graph, known))
        let lanes = Lanes()
        while let decision = schedule.wait(until: nil, { $0.next(cancelled: context.cancellation.isCancelled) }) {
            switch decision {
            case .finished:
                lanes.end()
                return end(graph, run: run, schedule)
            case .settled(let result):
                settle(result, run: run, schedule)
            case .start(let step, let parameters):
                start(step, parameters, run: run, earlier[step.id] ?? .none, lanes, schedule)
            }
        }
        preconditionFailure("a schedule without deadline always decides")
    }

    /// Records a step that ends without having run.
    private func settle(_ result: StepResult, run: String, _ schedule: Monitor<Schedule>) {
        let record = StepRecord(context.home.journal, by: context.actor, run: run, step: result.step)
        context.observe(.ended(result))
        do {
            try record.close([record.note("step-ended", try result.body(pins: [], hold: .keeps))])
        } catch {
            schedule.with { $0.journalFailed(error) }
        }
    }

    private func start(
        _ step: StepGraph.Step,
        _ parameters: JSONValue,
        run: String,
        _ earlier: EarlierAttempts,
        _ lanes: Lanes,
        _ schedule: Monitor<Schedule>
    ) {
        do {
            let action = try context.registry.action(step.action)
            let execution = execution(run)
            try lanes.submit(
                {
                    let end = execution.run(step, action, parameters: parameters, earlier: earlier)
                    schedule.with { $0.ended(end.result, end.journalFailure) }
                },
                to: action.descriptor.lane
            )
        } catch {
            let result = StepResult(step, .failed, reasons: [error.description], failure: error)
            schedule.with { $0.ended(result, nil) }
        }
    }

    private func execution(_ run: String) -> StepExecution {
        StepExecution(
            writer: context.home.journal,
            gate: Gate(home: context.home, reverify: context.reverify),
            approvals: context.approvalCheck,
            actor: context.actor,
            run: run,
            waiver: context.waiver,
            clock: context.clock,
            cancellation: context.cancellation,
            observe: context.observe
        )
    }

    private func end(_ graph: StepGraph, run: String, _ schedule: Monitor<Schedule>) -> RunResult {
        let (results, failure) = schedule.with { ($0.results, $0.journalFailure) }
        let ordered = graph.steps.compactMap { results[$0.id] }
        func result(_ failure: Failure?) -> RunResult {
            let wasCancelled = context.cancellation.isCancelled
            return RunResult(run: run, steps: ordered, journalFailure: failure, wasCancelled: wasCancelled)
        }
        guard failure == nil, !result(nil).isWaiting else { return result(failure) }
        do {
            try context.home.journal.append([RunNotes.ended(ordered, by: context.actor, run: run)])
            return result(nil)
        } catch {
            return result(error)
        }
    }
}
