public import Base
import Casework
import Synchronization

/// The only way to act: the intents are on record before the closure runs, the outcomes after it, errors included; on disk,
/// unless the effects end with the machine (docs/decisions/0039). An open intent cannot be held in a variable.
///
/// The type asks nothing of its effects, its members do: else the runtime would search its conformances for each condition
/// before the first effect.
public struct EffectLog<Effect: Sendable>: Sendable {
    private let record: StepRecord
    private let probe: @Sendable (Effect) -> EffectState
    private let endsWithMachine: @Sendable (Effect) -> Bool
    private let entry: @Sendable (Effect) throws(Failure) -> JSONValue

    init(
        _ record: StepRecord,
        endsWithMachine: @escaping @Sendable (Effect) -> Bool,
        entry: @escaping @Sendable (Effect) throws(Failure) -> JSONValue,
        probe: @escaping @Sendable (Effect) -> EffectState
    ) {
        self.record = record
        self.endsWithMachine = endsWithMachine
        self.entry = entry
        self.probe = probe
    }
}

extension EffectLog where Effect: Codable & Hashable {
    /// Whether an earlier attempt of this step, before a crash or a retry, already did `effect`.
    ///
    /// - Throws: `malformed` when the effect cannot be encoded.
    public func isDone(_ effect: Effect) throws(Failure) -> Bool {
        record.isDone(EffectText(try entry(effect)))
    }

    /// Applies one effect; does nothing when an earlier attempt of this step already did it.
    ///
    /// - Throws: what `body` throws, or that the journal kept nothing; then `body` did not run.
    public func apply(_ effect: Effect, _ body: () throws(Failure) -> Void) throws(Failure) {
        try apply([effect]) { (_: [Effect]) throws(Failure) in try body() }
    }

    /// Applies many effects with one commit before and one after; does nothing when all were done by an earlier attempt.
    /// When only some were, `body` runs for all, so it must bear that; else take the form that hands over the rest.
    ///
    /// - Throws: what `body` throws, or that the journal kept nothing; then `body` did not run.
    public func apply(_ effects: [Effect], _ body: () throws(Failure) -> Void) throws(Failure) {
        try apply(effects) { (_: [Effect]) throws(Failure) in try body() }
    }

    /// Applies many effects; `body` gets those that no earlier attempt did. When it throws, each effect is probed, and
    /// that is its outcome.
    ///
    /// - Throws: what `body` throws, or that the journal kept nothing; then `body` did not run.
    public func apply(_ effects: [Effect], _ body: ([Effect]) throws(Failure) -> Void) throws(Failure) {
        try applyEach(effects) { remaining throws(Failure) in
            try body(remaining)
            return [:]
        }
    }

    /// Applies many effects of which each may go wrong by itself; `body` gets those that no earlier attempt did, does all it
    /// can, and gives those that it could not do, with the reason: they are recorded as not done, or, when their object
    /// changed meanwhile or who was asked gave no answer in time, as what nobody can tell. When it throws, each effect is
    /// probed, and that is its outcome.
    ///
    /// - Throws: what `body` throws, or that the journal kept nothing; then `body` did not run.
    public func applyEach(
        _ effects: [Effect],
        _ body: ([Effect]) throws(Failure) -> [Effect: Failure]
    ) throws(Failure) {
        var remaining: [Effect] = []
        for effect in effects where try !isDone(effect) { remaining.append(effect) }
        guard !remaining.isEmpty else { return }
        var values: [JSONValue] = []
        var isAhead = true
        for effect in remaining {
            values.append(try entry(effect))
            isAhead = isAhead && endsWithMachine(effect)
        }
        let numbers = try record.intend(values, endingWithMachine: isAhead)
        let missed: [Effect: Failure]
        do {
            missed = try body(remaining)
        } catch {
            let states = remaining.map(probe)
            let outcomes = zip(numbers, states).map { StepRecord.EffectOutcome($0, $1, $1 == .done ? nil : error) }
            try record.conclude(outcomes, values)
            throw error
        }
        // No map over both: the runtime would search its conformances between a freeze and its outcome.
        var outcomes: [StepRecord.EffectOutcome] = []
        for index in remaining.indices {
            let failure = missed.isEmpty ? nil : missed[remaining[index]]
            let isUnknown = failure?.code == .changed || failure?.code == .timedOut
            let state = failure == nil ? EffectState.done : isUnknown ? .cannotTell : .notDone
            outcomes.append(StepRecord.EffectOutcome(numbers[index], state, failure))
        }
        try record.conclude(outcomes, values)
    }
}
