import Base
public import Casework

/// An output that holds a sealed capture: the engine records it with the end of the step, so that the gate finds it.
public protocol SealedCapture {
    /// The capture; `nil` when nothing was sealed.
    var capture: CaptureRecord? { get }
}

/// Runs one step from inspect to its recorded end, on the calling thread. The same for single verbs, graphs and resumes.
struct StepExecution: Sendable {
    let writer: any JournalWriter
    let gate: Gate?
    var approvals: ApprovalCheck?
    let actor: Responder
    let run: String
    let waiver: String?
    let clock: Clock
    let cancellation: Cancellation
    let observe: @Sendable (RunEvent) -> Void

    /// What the step left, and what the journal said when it failed.
    struct End {
        let result: StepResult
        let journalFailure: Failure?
    }

    /// `before` goes into the first commit of the step, `after` into the last.
    func run(
        _ step: StepGraph.Step,
        _ action: AnyAction,
        parameters: JSONValue,
        earlier: EarlierAttempts = .none,
        before: [EntryDraft] = [],
        after: (StepResult) -> [EntryDraft] = { _ in [] }
    ) -> End {
        observe(.started(step: step.id, action: step.action))
        let record = StepRecord(writer, by: actor, run: run, step: step.id, earlier: earlier, pending: before)
        var attempt = Attempt(step: step, action: action, parameters: parameters, number: 0)
        var made = perform(&attempt, record)
        while attempt.number < step.retries, made.state == .failed || made.state == .timedOut, !cancellation.isCancelled
        {
            attempt.number += 1
            made = perform(&attempt, record)
        }
        let journalFailure = close(made, attempt, record, after)
        observe(.ended(made))
        return End(result: made, journalFailure: journalFailure)
    }

    private struct Attempt {
        let step: StepGraph.Step
        let action: AnyAction
        let parameters: JSONValue
        var number: Int
        var pins: [SessionPin] = []
        var capture: CaptureRecord?
    }

    private func perform(_ attempt: inout Attempt, _ record: StepRecord) -> StepResult {
        let step = attempt.step
        let descriptor = attempt.action.descriptor
        let span = step.timeoutNanoseconds.map { Duration.nanoseconds($0) } ?? descriptor.deadline
        let scope = Scope(
            clock: clock,
            deadline: Deadline(after: span),
            cancellation: cancellation,
            progress: Progress { [observe] phase, done, total in
                observe(.progress(step: step.id, phase: phase, done: done, total: total))
            }
        )
        do {
            let plan = try attempt.action.plan(attempt.parameters, scope)
            attempt.pins = plan.pins
            record.add(try startDraft(attempt, plan, record))
            try waive(descriptor, plan, record)
            let permit = try permit(descriptor, plan, step.id)
            if case .capture(let capture) = permit.basis, !record.hasDone {
                try attempt.action.confirm(capture, plan.pins)
            }
            if let waiting = try waiting(attempt, plan, permit.basis, record) {
                return StepResult(step, .waiting, reasons: [waiting.reason], failure: waiting)
            }
            let made = try plan.perform(permit, record, scope)
            attempt.capture = made.capture
            return try judge(step, made.output, attempt.action.verify(made.output, scope))
        } catch {
            return StepResult(step, error.stepState, reasons: [error.description], failure: error)
        }
    }

    private func startDraft(
        _ attempt: Attempt,
        _ plan: AnyPlan,
        _ record: StepRecord
    ) throws(Failure) -> EntryDraft {
        record.draft(
            .note,
            [
                "action": .string(attempt.step.action), "attempt": .integer(Int64(attempt.number)),
                "decisions": .array(plan.decisions.map(JSONValue.string)),
                "hold": .string(attempt.action.descriptor.hold.rawValue), "parameters": attempt.parameters,
                "pins": JSONEncoding.list(of: plan.pins), "topic": "step-started",
            ]
        )
    }

    /// Commits the waiver of the run, if it gave one and the action needs evidence, so that the gate can find it.
    private func waive(_ descriptor: ActionDescriptor, _ plan: AnyPlan, _ record: StepRecord) throws(Failure) {
        guard let waiver, case .capture = descriptor.evidence else { return }
        let body = Waiver(reason: waiver, action: descriptor.name, pins: plan.pins)
        try record.close([record.draft(.waiver, try JSONEncoding.value(of: body))])
    }

    private func permit(
        _ descriptor: ActionDescriptor,
        _ plan: AnyPlan,
        _ step: String
    ) throws(Failure) -> Permit {
        if case .none = descriptor.evidence { return Permit(.notNeeded) }
        guard let gate else {
            throw Failure(
                .refused,
                descriptor.name,
                on: "the session",
                because: "there is no case to look for evidence in"
            )
        }
        return try gate.permit(descriptor, rule: descriptor.evidence, on: plan.pins, for: Asker(run: run, step: step))
    }

    /// How the step is told that it waits for approval; `nil` when it may go on.
    private func waiting(
        _ attempt: Attempt,
        _ plan: AnyPlan,
        _ basis: Permit.Basis,
        _ record: StepRecord
    ) throws(Failure) -> Failure? {
        guard let approvals, attempt.action.descriptor.nature != .contains else { return nil }
        let act = ApprovalCheck.Act(
            run: run,
            step: attempt.step.id,
            descriptors: try attempt.action.amounts(attempt.parameters),
            parameters: attempt.parameters,
            pins: plan.pins,
            decisions: plan.decisions,
            basis: .init(basis)
        )
        return try approvals.failure(of: act, record)
    }

    private func judge(_ step: StepGraph.Step, _ output: JSONValue, _ verdict: Verdict) -> StepResult {
        switch verdict {
        case .holds: StepResult(step, .succeeded, output: output)
        case .partly(let reasons): StepResult(step, .partial, output: output, reasons: reasons)
        case .fails(let reasons): StepResult(step, .failed, output: output, reasons: reasons)
        }
    }

    private func close(
        _ made: StepResult,
        _ attempt: Attempt,
        _ record: StepRecord,
        _ after: (StepResult) -> [EntryDraft]
    ) -> Failure? {
        do {
            guard made.state != .waiting else {
                try record.close([])
                return nil
            }
            var drafts: [EntryDraft] = []
            if let capture = attempt.capture, made.state.isEnough {
                let body: JSONValue = ["capture": try JSONEncoding.value(of: capture), "topic": "capture"]
                drafts.append(record.draft(.note, body))
            }
            let body = try made.body(pins: attempt.pins, hold: attempt.action.descriptor.hold)
            drafts.append(record.note("step-ended", body))
            try record.close(drafts + after(made))
            return nil
        } catch {
            return error
        }
    }
}

extension Failure {
    /// How a step ends that throws this.
    fileprivate var stepState: StepState {
        switch code {
        case .timedOut: .timedOut
        case .cancelled: .cancelled
        case .refused: .refused
        default: .failed
        }
    }
}

extension StepRecord {
    /// A note of this step.
    func note(_ topic: String, _ body: JSONValue) -> EntryDraft {
        var object = body.object ?? JSONObject()
        object["topic"] = .string(topic)
        return draft(.note, .object(object))
    }
}
