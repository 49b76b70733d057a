public import Base

/// How one step ended.
public struct StepResult: Hashable, Sendable {
    /// The step.
    public let step: String
    /// The action's name.
    public let action: String
    /// How it ended.
    public let state: StepState
    /// What the action gave; present for succeeded and partial, and for failed when only the proof failed.
    public let output: JSONValue?
    /// Why it is not simply succeeded, a line each.
    public let reasons: [String]
    /// What was thrown.
    public let failure: Failure?

    init(
        _ step: StepGraph.Step,
        _ state: StepState,
        output: JSONValue? = nil,
        reasons: [String] = [],
        failure: Failure? = nil
    ) {
        self.init(step.id, step.action, state, output, reasons, failure)
    }

    init(
        _ step: String,
        _ action: String,
        _ state: StepState,
        _ output: JSONValue?,
        _ reasons: [String],
        _ failure: Failure?
    ) {
        self.step = step
        self.action = action
        self.state = state
        self.output = output
        self.reasons = reasons
        self.failure = failure
    }

    /// The output as the action's own type.
    ///
    /// - Throws: `malformed` when there is none or it is of another type.
    public func output<Output: Decodable>(as type: Output.Type) throws(Failure) -> Output {
        guard let output else {
            throw Failure(.malformed, "read the output of the step", on: step, because: "it gave none")
        }
        return try JSONDecoding.decode(type, from: output)
    }

    /// The body of the note that the step ended.
    func body(pins: [SessionPin], hold: HoldChange) throws(Failure) -> JSONValue {
        var body = JSONObject()
        body["action"] = .string(action)
        body["hold"] = .string(hold.rawValue)
        body["pins"] = try JSONEncoding.value(of: pins)
        body["state"] = .string(state.rawValue)
        if let output { body["output"] = output }
        if !reasons.isEmpty { body["reasons"] = .array(reasons.map(JSONValue.string)) }
        if let failure { body["failure"] = try JSONEncoding.value(of: failure) }
        return .object(body)
    }

    /// Reads what ``body(pins:hold:)`` wrote.
    init(_ step: String, reading body: JSONValue) throws(Failure) {
        guard let action = body["action"]?.string, let state = body["state"]?.string.flatMap(StepState.init(rawValue:))
        else { throw Failure(.malformed, "read the end of the step", on: step, because: "no action or state") }
        var failure: Failure?
        if let value = body["failure"] { failure = try JSONDecoding.decode(Failure.self, from: value) }
        let reasons = body["reasons"]?.array?.compactMap(\.string) ?? []
        self.init(step, action, state, body["output"], reasons, failure)
    }
}

/// How a run ended.
public struct RunResult: Sendable {
    /// Its name in the journal: `[a-z0-9-]`.
    public let run: String
    /// The steps in the order of the graph.
    public let steps: [StepResult]
    /// Whether the journal failed in the middle; then the last entries may be missing.
    public let journalFailure: Failure?
    /// Whether a step waits for approvals; the run has not ended then, and goes on when it is resumed.
    public var isWaiting: Bool { steps.contains { $0.state == .waiting } }
    /// Whether it was cancelled while it went on; what it did by then may be whole all the same.
    public let wasCancelled: Bool

    init(
        run: String,
        steps: [StepResult],
        journalFailure: Failure? = nil,
        wasCancelled: Bool = false
    ) {
        self.run = run
        self.steps = steps
        self.journalFailure = journalFailure
        self.wasCancelled = wasCancelled
    }

    /// The result of one step.
    public func result(of step: String) -> StepResult? { steps.first { $0.step == step } }

    /// The exit status: the first of waiting, cancelled, failed, refused, partial that fits, else done. Steps that were
    /// skipped because their condition was false do not count.
    public var outcome: Outcome {
        if isWaiting { return .waiting }
        if journalFailure != nil { return .failed }
        let states = Set(steps.map(\.state))
        if states.contains(.cancelled) || wasCancelled && !states.isSubset(of: [.succeeded, .skipped]) {
            return .cancelled
        }
        if states.contains(.failed) || states.contains(.unknownAfterCrash) { return .failed }
        if states.contains(.refused) { return .refused }
        if states.contains(.partial) || states.contains(.timedOut) { return .partial }
        return .done
    }
}

/// What a run tells while it goes on. Called on the thread of the step, so the receiver must be quick and bear calls from
/// several threads.
public enum RunEvent: Sendable {
    /// A step starts.
    case started(step: String, action: String)
    /// A step tells how far it is; `total` is 0 when unknown.
    case progress(step: String, phase: String, done: UInt64, total: UInt64)
    /// A step ended.
    case ended(StepResult)
}
