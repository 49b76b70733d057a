public import Base

/// A member of an earlier step's output, as a value among a later step's parameters.
///
/// In JSON it is `{"$output": {"field": FIELD, "step": STEP}}`; ``StepGraph/check(against:)`` makes sure that the step runs
/// before and has that output.
public struct OutputReference: Hashable, Sendable, Codable {
    /// The step.
    public let step: String
    /// The member of its output.
    public let field: String

    /// Takes both parts.
    public init(step: String, field: String) {
        self.step = step
        self.field = field
    }

    /// The value that stands among the parameters.
    public var json: JSONValue { ["$output": ["field": .string(field), "step": .string(step)]] }

    /// Reads ``json``; any other value gives `nil`.
    public init?(_ value: JSONValue) {
        guard case .object(let object) = value, object.members.count == 1, let inner = value["$output"],
            let step = inner["step"]?.string, let field = inner["field"]?.string
        else { return nil }
        self.init(step: step, field: field)
    }
}

/// When a step runs at all; checked for types when the graph is built.
public indirect enum Condition: Hashable, Sendable, Codable {
    /// The member of an output equals a value; a step without output equals nothing.
    case equals(OutputReference, JSONValue)
    /// A list or text among the outputs is not empty.
    case isFilled(OutputReference)
    /// A step ended in this state.
    case ended(step: String, in: StepState)
    /// The opposite.
    case not(Condition)
    /// All of them; none is true.
    case all([Condition])
    /// At least one; none is false.
    case any([Condition])
}

/// How a step ended.
public enum StepState: String, Sendable, Codable, CaseIterable {
    /// Done and proven.
    case succeeded
    /// A part is done; the reasons name the rest.
    case partial
    /// It failed.
    case failed
    /// Its deadline passed.
    case timedOut = "timed-out"
    /// Its condition was false, a step that it needs did not succeed, or the run had stopped.
    case skipped
    /// The gate or the action refused.
    case refused
    /// A person cancelled it.
    case cancelled
    /// Quell died in the middle and nobody can tell what happened.
    case unknownAfterCrash = "unknown-after-crash"
    /// It has not acted, because approvals are missing: no end, and the run goes on with it once they are there.
    case waiting

    /// The ways in which a step can end.
    public static let ends = allCases.filter { $0 != .waiting }

    /// Whether steps that need this one may run: succeeded or partial.
    public var isEnough: Bool { self == .succeeded || self == .partial }
}
