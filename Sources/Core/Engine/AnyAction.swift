import Base
import Casework
import Synchronization

/// An action without its types: the one place where they are erased. Everything passes as JSON of the action's own types.
struct AnyAction: Sendable {
    let descriptor: ActionDescriptor
    let amounts: @Sendable (_ to: JSONValue) throws(Failure) -> [ActionDescriptor]
    let undoing: @Sendable () -> [ActionDescriptor]
    let plan: @Sendable (_ parameters: JSONValue, Scope) throws(Failure) -> AnyPlan
    let confirm: @Sendable (CaptureRecord, _ of: [SessionPin]) throws(Failure) -> Void
    let probe: @Sendable (_ effect: JSONValue, Scope) throws(Failure) -> EffectState
    let undo: @Sendable (_ effect: JSONValue) throws(Failure) -> AnyUndo?
    let verify: @Sendable (_ output: JSONValue, Scope) throws(Failure) -> Verdict

    /// `given` is the input of the parameters where the caller has it, and `keeping` takes the output of the last perform:
    /// a single verb has no time to read back what it wrote.
    init<A: Action>(_ action: A, given: A.Input? = nil, keeping kept: Kept<A.Output> = Kept()) {
        descriptor = A.descriptor
        amounts = { parameters throws(Failure) in
            A.amounts(to: try JSONDecoding.decode(A.Input.self, from: parameters))
        }
        undoing = { A.undoing }
        plan = { parameters, scope throws(Failure) in
            let input = if let given { given } else { try JSONDecoding.decode(A.Input.self, from: parameters) }
            let seen = try action.inspect(input, in: scope)
            return try AnyPlan(action, seen, action.plan(input, from: seen), keeping: kept)
        }
        confirm = { capture, pins throws(Failure) in try action.confirm(capture, of: pins) }
        probe = { effect, scope throws(Failure) in
            try action.probe(try JSONDecoding.decode(A.Effect.self, from: effect), in: scope)
        }
        undo = { effect throws(Failure) in
            guard let undo = action.undo(try JSONDecoding.decode(A.Effect.self, from: effect)) else { return nil }
            return AnyUndo(effect: try JSONEncoding.value(of: undo.effect), perform: undo.perform)
        }
        verify = { output, scope throws(Failure) in
            if let made = kept.output { return try action.verify(made, in: scope) }
            return try action.verify(try JSONDecoding.decode(A.Output.self, from: output), in: scope)
        }
    }
}

/// What an action gave last, in its own type.
final class Kept<Output: Sendable>: Sendable {
    private let value = Mutex<Output?>(nil)

    var output: Output? {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

/// A plan without its types.
struct AnyPlan: Sendable {
    let pins: [SessionPin]
    let decisions: [String]
    let effects: [JSONValue]
    let perform:
        @Sendable (borrowing Permit, StepRecord, Scope) throws(Failure) -> (output: JSONValue, capture: CaptureRecord?)

    init<A: Action>(
        _ action: A,
        _ seen: Observation<A.Target>,
        _ plan: Plan<A.Target, A.Effect>,
        keeping kept: Kept<A.Output>
    ) throws(Failure) {
        var effects: [JSONValue] = []
        for effect in plan.effects { effects.append(try A.entry(of: effect)) }
        pins = seen.pins
        decisions = seen.decisions
        self.effects = effects
        perform = { permit, record, scope throws(Failure) in
            let log = EffectLog<A.Effect>(
                record,
                endsWithMachine: { A.endsWithMachine($0) },
                entry: { effect throws(Failure) in try A.entry(of: effect) },
                probe: { effect in action.stateAfterFailure(of: effect, in: scope) }
            )
            let output = try action.perform(plan, permit: permit, log: log, in: scope)
            kept.output = output
            return (try JSONEncoding.value(of: output), (output as? any SealedCapture)?.capture)
        }
    }
}

/// How to take an effect back, without its type.
struct AnyUndo: Sendable {
    let effect: JSONValue
    let perform: @Sendable (Scope) throws(Failure) -> Void
}

extension Action {
    /// What is true of an effect whose application failed; a probe that fails itself cannot tell.
    func stateAfterFailure(of effect: Effect, in scope: Scope) -> EffectState {
        do { return try probe(effect, in: scope) } catch { return .cannotTell }
    }
}
