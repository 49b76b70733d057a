public import Base
import Casework
import Synchronization

/// The only way to act: the intents are on disk before the closure runs, the outcomes after it, errors included. An open
/// intent cannot be held in a variable.
public struct EffectLog<Effect: Codable & Hashable & Sendable>: Sendable {
    private let record: StepRecord
    private let probe: @Sendable (Effect) -> EffectState

    init(_ record: StepRecord, probe: @escaping @Sendable (Effect) -> EffectState) {
        self.record = record
        self.probe = probe
    }

    /// Whether an earlier attempt of this step, before a crash or a retry, already did `effect`.
    ///
    /// - Throws: `malformed` when the effect cannot be encoded.
    public func isDone(_ effect: Effect) throws(Failure) -> Bool {
        record.isDone(try JSONEncoding.canonicalBytes(of: effect))
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
        var remaining: [Effect] = []
        for effect in effects where try !isDone(effect) { remaining.append(effect) }
        guard !remaining.isEmpty else { return }
        var values: [JSONValue] = []
        for effect in remaining { values.append(try JSONEncoding.value(of: effect)) }
        let numbers = try record.intend(values)
        do {
            try body(remaining)
        } catch {
            let states = remaining.map(probe)
            try record.conclude(zip(numbers, states).map { ($0, $1) }, values, because: error)
            throw error
        }
        try record.conclude(numbers.map { ($0, .done) }, values, because: nil)
    }
}
