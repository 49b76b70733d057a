public import Base
import Casework

/// Goes on where a dead process stopped: asks the world about each intent without outcome, then runs the rest of the
/// graph that stands in the journal. What an earlier attempt did is not done again.
public struct Recovery: Sendable {
    private let context: RunContext

    /// Takes the context; its registry must know the actions of the runs.
    public init(_ context: RunContext) { self.context = context }

    /// The runs that have started and not ended, oldest first.
    ///
    /// - Throws: `notVerified` when the journal does not hold.
    public func unfinishedRuns() throws(Failure) -> [String] {
        try histories().filter { !$0.isEnded && ($0.graph != nil || $0.undoes != nil) }.map(\.run)
    }

    /// Resumes all unfinished runs, oldest first, or only `run`. Resuming again when there is nothing left does nothing.
    ///
    /// - Throws: `notVerified` when the journal does not hold, `refused` on another machine, after a reboot (RT20), or,
    ///   before anything is done, when a living process is at one of the runs; or why the journal cannot be written.
    public func resume(_ run: String? = nil) throws(Failure) -> [RunResult] {
        try context.requireSameHost("resume the case")
        var locks: [RunLock] = []
        defer { for lock in locks { lock.release() } }
        for name in try unfinishedRuns() where run == nil || name == run {
            locks.append(try context.home.lock(run: name, to: "resume the run"))
        }
        var results: [RunResult] = []
        // Read again: a run may have come to its end before we had its lock.
        for history in try histories() where !history.isEnded && (run == nil || history.run == run) {
            if let undone = history.undoes {
                results.append(try UndoRun(context).undo(undone, as: history.run))
            } else if let graph = history.graph {
                results.append(try resume(history, graph))
            }
        }
        return results
    }

    private func histories() throws(Failure) -> [RunHistory] {
        try RunHistory.all(in: try context.home.journal.verify().verified(of: context.home.id))
    }

    private func resume(_ history: RunHistory, _ graph: StepGraph) throws(Failure) -> RunResult {
        try graph.check(against: context.registry)
        let note = EntryDraft(note: "run-resumed", by: context.actor, run: history.run)
        try context.home.journal.append([note])
        var known: [String: StepResult] = [:]
        var earlier: [String: EarlierAttempts] = [:]
        for step in graph.steps {
            guard var past = history.steps[step.id] else { continue }
            if past.result == nil { try settle(&past, step, history.run) }
            known[step.id] = past.result
            earlier[step.id] = past.earlier
        }
        return Runner(context).finish(graph, run: history.run, known: known, earlier: earlier)
    }

    /// Finds out about the intents without outcome; a step about which nobody can tell ends here.
    private func settle(_ past: inout RunHistory.Step, _ step: StepGraph.Step, _ run: String) throws(Failure) {
        let action = try context.registry.action(step.action)
        let record = StepRecord(context.home.journal, by: context.actor, run: run, step: step.id)
        var unknown: [String] = []
        for index in past.effects.indices where past.effects[index].state == nil {
            let (state, reason) = look(at: past.effects[index].effect, action)
            past.effects[index].state = state
            var body = JSONObject()
            body["effect"] = .integer(Int64(past.effects[index].number))
            body["state"] = .string(state.rawValue)
            if let reason { body["reason"] = .string(reason) }
            try record.close([record.draft(.probe, .object(body)), record.draft(.outcome, .object(body))])
            if state == .cannotTell { unknown.append(CanonicalJSON.text(of: past.effects[index].effect)) }
        }
        guard !unknown.isEmpty else { return }
        let reasons = unknown.map { "nobody can tell whether this happened: \($0)" }
        let result = StepResult(step, .unknownAfterCrash, reasons: reasons)
        context.observe(.ended(result))
        try record.close([record.note("step-ended", try result.body(pins: past.pins, hold: past.hold))])
        past.result = result
    }

    private func look(at effect: JSONValue, _ action: AnyAction) -> (EffectState, String?) {
        let deadline = Deadline(after: action.descriptor.deadline)
        let scope = Scope(clock: context.clock, deadline: deadline, cancellation: context.cancellation)
        do { return (try action.probe(effect, scope), nil) } catch { return (.cannotTell, error.description) }
    }
}
