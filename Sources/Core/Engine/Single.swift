public import Base
public import Casework

/// One action on the calling thread, without a graph and without a thread of its own: the freeze path. The same steps, the
/// same journal, the same gate as in a run.
public struct Single: Sendable {
    private let writer: any JournalWriter
    private let gate: Gate?
    private let home: Case?
    private let actor: Responder
    private let reason: String
    private let waiver: String?

    /// Who has to approve what, and who may.
    public var approvals = Approvals.none
    /// The scope's clock.
    public var clock = Clock.system
    /// Ends the action early.
    public var cancellation = Cancellation()
    /// Gets what happens.
    public var observe: @Sendable (RunEvent) -> Void = { _ in }

    /// Any action, in a case.
    public init(
        in home: Case,
        by actor: Responder,
        reason: String = "",
        waiver: String? = nil,
        reverify: @escaping @Sendable (CaptureRecord) throws(Failure) -> Void = RunContext.noCaptureCounts
    ) {
        writer = home.journal
        gate = Gate(home: home, reverify: reverify)
        self.home = home
        self.actor = actor
        self.reason = reason
        self.waiver = waiver
    }

    /// Containment alone: goes ahead when the store does not answer (RT12). Actions that alter or destroy are refused.
    public init(containingWith journal: ContainmentJournal, by actor: Responder, reason: String = "") {
        writer = journal
        gate = nil
        home = nil
        self.actor = actor
        self.reason = reason
        waiver = nil
    }

    /// Runs `action`. What goes wrong is in the result: nothing is thrown, because a step that failed has effects, too.
    public func run<A: Action>(_ action: A, _ input: A.Input, timeout: Duration? = nil) -> SingleResult<A.Output> {
        let kept = Kept<A.Output>()
        let erased = AnyAction(action, given: input, keeping: kept)
        let name = erased.descriptor.name
        var run = RunID.fresh()
        do {
            let parameters = try A.document(of: input)
            let step = StepGraph.Step(id: name, action: name, parameters: parameters, timeout: timeout)
            let graph = StepGraph(name: name, steps: [step])
            let waiting = try waiting(graph, erased.descriptor)
            if let waiting { run = waiting }
            let (lock, unlocked) = waiting == nil ? lock(run) : (try home?.lock(run: run, to: "go on with the run"), [])
            defer { lock?.release() }
            let start =
                waiting == nil
                ? try RunNotes.started(graph, by: actor, run: run, reason: reason)
                : EntryDraft(note: "run-resumed", by: actor, run: run)
            let execution = StepExecution(
                writer: writer,
                gate: gate,
                approvals: approvalCheck,
                actor: actor,
                run: run,
                waiver: waiver,
                clock: clock,
                cancellation: cancellation,
                observe: observe
            )
            let end = execution.run(step, erased, parameters: parameters, before: [start] + unlocked) { [run] result in
                [RunNotes.ended([result], by: actor, run: run)]
            }
            return SingleResult(
                run: run,
                step: end.result,
                journalFailure: end.journalFailure,
                wasCancelled: cancellation.isCancelled,
                output: end.result.output == nil ? nil : kept.output
            )
        } catch {
            let result = StepResult(name, name, .failed, nil, [error.description], error)
            return SingleResult(run: run, step: result, journalFailure: nil, wasCancelled: false, output: nil)
        }
    }
}

extension Single {
    private var approvalCheck: ApprovalCheck? {
        home.map { ApprovalCheck(home: $0, approvals: approvals, actor: actor, reason: reason, clock: clock) }
    }

    /// The run that did nothing yet but wait for the approval of the very same: giving the verb again goes on with it.
    private func waiting(_ graph: StepGraph, _ descriptor: ActionDescriptor) throws(Failure) -> String? {
        guard let home, descriptor.nature != .contains, try approvals.mayAsk() else { return nil }
        let journal = try home.journal.verify().verified(of: home.id)
        let asked = CanonicalJSON.bytes(of: try JSONEncoding.value(of: graph))
        for history in try RunHistory.all(in: journal).reversed() where history.isOnlyWaiting {
            guard let known = history.graph else { continue }
            if CanonicalJSON.bytes(of: try JSONEncoding.value(of: known)) == asked { return history.run }
        }
        return nil
    }

    /// The lock of the run, or an entry with the reason why there is none: whatever cannot be locked is done all the same.
    /// In containment the journal locks its runs itself, where nobody waits for the disk.
    private func lock(_ run: String) -> (RunLock?, [EntryDraft]) {
        guard let home else { return (nil, []) }
        do throws(Failure) {
            return (try home.lock(run: run, to: "begin the run"), [])
        } catch {
            let body: JSONValue = ["reason": .string(error.description)]
            return (nil, [EntryDraft(note: "run-unlocked", body, by: actor, run: run)])
        }
    }
}

/// How a single action ended.
public struct SingleResult<Output: Codable & Sendable>: Sendable {
    /// The run's name in the journal.
    public let run: String
    /// How the step ended.
    public let step: StepResult
    /// Why the journal could not be written, when it could not; what was done stands nevertheless.
    public let journalFailure: Failure?
    /// Whether it was cancelled while it went on.
    let wasCancelled: Bool
    /// What the action gave; `nil` when it gave nothing.
    public let output: Output?

    /// The exit status.
    public var outcome: Outcome {
        RunResult(run: run, steps: [step], journalFailure: journalFailure, wasCancelled: wasCancelled).outcome
    }
}

/// The notes at both ends of a run.
enum RunNotes {
    static func started(
        _ graph: StepGraph,
        by actor: Responder,
        run: String,
        reason: String,
        plan: Digest? = nil
    ) throws(Failure) -> EntryDraft {
        var body = JSONObject()
        body["graph"] = try graph.document()
        body["reason"] = .string(reason)
        if let plan { body["plan"] = .string(plan.hex) }
        return EntryDraft(note: "run-started", .object(body), by: actor, run: run)
    }

    static func ended(_ results: [StepResult], by actor: Responder, run: String) -> EntryDraft {
        var states = JSONObject()
        for result in results { states[result.step] = .string(result.state.rawValue) }
        return EntryDraft(note: "run-ended", ["states": .object(states)], by: actor, run: run)
    }
}
