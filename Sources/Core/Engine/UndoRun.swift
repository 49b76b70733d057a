public import Base
import Casework

/// Takes back what a run did, newest effect first, through the same log. What cannot be taken back is told, not skipped in
/// silence.
public struct UndoRun: Sendable {
    private let context: RunContext

    /// Takes the context; its registry must know the actions of the run.
    public init(_ context: RunContext) { self.context = context }

    /// Takes back the effects of `run` that are done. Each original step is a step of the undo, newest first. Calling it
    /// again goes on where it stopped: what is undone already is found so and left.
    ///
    /// - Throws: `notFound` when the case has no such run, `notVerified` when the journal does not hold, `refused` on
    ///   another machine, or why the journal cannot be written.
    public func undo(_ run: String) throws(Failure) -> RunResult { try undo(run, as: nil) }

    func undo(_ run: String, as resumed: String?) throws(Failure) -> RunResult {
        try context.requireSameHost("undo the run")
        let journal = try context.home.journal.verify().verified(of: context.home.id)
        let histories = try RunHistory.all(in: journal)
        guard let history = histories.first(where: { $0.run == run }) else {
            throw Failure(.notFound, "undo the run", on: run, because: "the case has no such run")
        }
        let waiting = histories.last { $0.undoes == run && $0.isOnlyWaiting }
        let undo = resumed ?? waiting?.run ?? RunID.fresh()
        let lock = resumed == nil ? try context.home.lock(run: undo, to: "undo the run") : nil
        defer { lock?.release() }
        let earlier = histories.first { $0.run == undo }?.steps ?? [:]
        if resumed == nil, waiting == nil {
            let body: JSONValue = ["reason": .string(context.reason), "undoes": .string(run)]
            try context.home.journal.append([EntryDraft(note: "run-started", body, by: context.actor, run: undo)])
        }
        var results: [StepResult] = []
        for (id, past) in history.steps.sorted(by: { $0.value.newest > $1.value.newest }) where past.newest > 0 {
            if let done = earlier[id]?.result, done.state == .succeeded {
                results.append(done)
            } else {
                results.append(try self.undo(id, past, of: run, as: undo, from: earlier[id]?.earlier.effects ?? 0))
            }
        }
        let result = RunResult(run: undo, steps: results)
        guard !result.isWaiting else { return result }
        try context.home.journal.append([RunNotes.ended(results, by: context.actor, run: undo)])
        return result
    }

    private func undo(
        _ id: String,
        _ past: RunHistory.Step,
        of original: String,
        as run: String,
        from number: Int
    ) throws(Failure) -> StepResult {
        let action = try context.registry.action(past.action)
        let hold: HoldChange = action.descriptor.hold == .begins ? .ends : .keeps
        let earlier = EarlierAttempts(effects: number, done: [])
        let record = StepRecord(context.home.journal, by: context.actor, run: run, step: id, earlier: earlier)
        record.add(try startDraft(past, hold, record))
        context.observe(.started(step: id, action: past.action))
        var problems: [String] = []
        var state = StepState.succeeded
        var failure: Failure?
        do {
            let basis = try permit(action, past.pins, Asker(run: run, step: id), record)
            if case .capture(let capture) = basis, number == 0 { try action.confirm(capture, past.pins) }
            let act = act(id, past, action, of: original, as: run, basis)
            if let waiting = try context.approvalCheck.failure(of: act, record) {
                try record.close([])
                let result = StepResult(id, past.action, .waiting, nil, [waiting.reason], waiting)
                context.observe(.ended(result))
                return result
            }
            for entry in past.effects.reversed() where entry.state == .done || entry.state == .partly {
                do {
                    if try !undo(entry.effect, action, record) {
                        problems.append("cannot be taken back: \(CanonicalJSON.text(of: entry.effect))")
                    }
                } catch { problems.append(error.description) }
            }
            if !problems.isEmpty { state = .partial }
        } catch {
            state = error.code == .refused ? .refused : .failed
            failure = error
            problems = [error.description]
        }
        let result = StepResult(id, past.action, state, nil, problems, failure)
        try record.close([record.note("step-ended", try result.body(pins: past.pins, hold: hold))])
        context.observe(.ended(result))
        return result
    }

    private func act(
        _ id: String,
        _ past: RunHistory.Step,
        _ action: AnyAction,
        of original: String,
        as run: String,
        _ basis: ApprovalCheck.Act.Basis
    ) -> ApprovalCheck.Act {
        ApprovalCheck.Act(
            run: run,
            step: id,
            descriptors: action.undoing(),
            parameters: ["undoes": .string(original)],
            pins: past.pins,
            decisions: ["take back what \(past.action) did in \(original)"],
            basis: basis
        )
    }

    /// Taking back a freeze is a thaw: it needs what a thaw needs. Gives what permits it.
    private func permit(
        _ action: AnyAction,
        _ pins: [SessionPin],
        _ asker: Asker,
        _ record: StepRecord
    ) throws(Failure) -> ApprovalCheck.Act.Basis {
        guard action.descriptor.hold == .begins else { return .state }
        if let reason = context.waiver {
            let waiver = Waiver(reason: reason, action: action.descriptor.name, pins: pins)
            try record.close([record.draft(.waiver, try JSONEncoding.value(of: waiver))])
        }
        let gate = Gate(home: context.home, reverify: context.reverify)
        let permit = try gate.permit(action.descriptor, rule: .capture(atLeast: .volatile), on: pins, for: asker)
        return .init(permit.basis)
    }

    /// Takes one effect back; gives false when nothing can.
    private func undo(_ effect: JSONValue, _ action: AnyAction, _ record: StepRecord) throws(Failure) -> Bool {
        let deadline = Deadline(after: action.descriptor.deadline)
        let scope = Scope(clock: context.clock, deadline: deadline, cancellation: context.cancellation)
        guard let undo = try action.undo(effect) else { return false }
        if try action.probe(effect, scope) == .notDone { return true }
        let numbers = try record.intend([undo.effect])
        do {
            try undo.perform(scope)
        } catch {
            try record.conclude(numbers.map { .init($0, .cannotTell, error) }, [undo.effect])
            throw error
        }
        try record.conclude(numbers.map { .init($0, .done) }, [undo.effect])
        return true
    }

    private func startDraft(
        _ past: RunHistory.Step,
        _ hold: HoldChange,
        _ record: StepRecord
    ) throws(Failure) -> EntryDraft {
        record.note(
            "step-started",
            [
                "action": .string(past.action), "hold": .string(hold.rawValue),
                "pins": try JSONEncoding.value(of: past.pins),
            ]
        )
    }
}

extension RunHistory.Step {
    /// When its newest effect was intended; 0 without any.
    fileprivate var newest: Int64 { effects.map(\.moment).max() ?? 0 }
}
