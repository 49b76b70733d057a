public import Base
public import Casework

/// One verb of the catalogue. Stateless: what it needs of the world comes in by its own initialiser, what it needs of the
/// run by parameters. All members are synchronous (docs/decisions/0002) and run on the thread of the action's lane.
public protocol Action<Input, Output>: Sendable {
    /// The parameters, as a playbook or a command gives them.
    associatedtype Input: Codable & Sendable
    /// What was pinned by ``inspect(_:in:)``: everything that ``perform(_:permit:log:in:)`` needs to know.
    associatedtype Target: Codable & Sendable
    /// A closed enum of primitive effects; each can be probed by itself. No secret and no live handle in it.
    associatedtype Effect: Codable & Hashable & Sendable
    /// Facts, proofs, verdicts. No secret and no live handle in it.
    associatedtype Output: Codable & Sendable

    /// What is known without running it.
    static var descriptor: ActionDescriptor { get }

    /// What it amounts to with `input`, as far as the policy is concerned: a thaw that gives the network back is a release
    /// as well. The action itself is the first.
    static func amounts(to input: Input) -> [ActionDescriptor]

    /// What undoing it amounts to, as far as the policy is concerned: taking a freeze back is a thaw.
    static var undoing: [ActionDescriptor] { get }

    /// Looks, read-only, and pins what the parameters mean.
    ///
    /// - Throws: `notFound`, `ambiguous` or `refused` when there is nothing that may be acted upon.
    func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target>

    /// Says what would be done. Pure: no clock, no file, no randomness.
    func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect>

    /// Looks, read-only, whether a capture that the journal lets count still shows the sessions `pins` as they are: what the
    /// journal cannot know, because it happened outside of Quell (RT16, RT28). Called right before an action that needs a
    /// capture, unless an earlier attempt of the same step already did a part of it.
    ///
    /// - Throws: `refused` with what happened since.
    func confirm(_ capture: CaptureRecord, of pins: [SessionPin]) throws(Failure)

    /// Acts, through `log.apply` only. It must skip what already is as it should be, because it is called again after a
    /// crash.
    ///
    /// - Throws: `timedOut` when the scope's deadline passed, `cancelled` when a person cancelled, else what failed.
    func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output

    /// Looks whether one effect is true of the world now.
    ///
    /// - Throws: never because the effect did not happen; that is ``EffectState/notDone``.
    func probe(_ effect: Effect, in scope: Scope) throws(Failure) -> EffectState

    /// Whether the effect is gone without a trace when the machine loses its power, because it stands in the kernel's memory
    /// alone and nobody else hears of it: then its intent need not outlive the machine, either (docs/decisions/0039).
    static func endsWithMachine(_ effect: Effect) -> Bool

    /// The parameters as they stand in the journal: what an encoder gives. An action that has no time for an encoder writes
    /// the same by hand.
    ///
    /// - Throws: `malformed` when they cannot be encoded.
    static func document(of input: Input) throws(Failure) -> JSONValue

    /// The same of an effect.
    ///
    /// - Throws: `malformed` when it cannot be encoded.
    static func entry(of effect: Effect) throws(Failure) -> JSONValue

    /// What takes one effect back; `nil` when nothing can.
    func undo(_ effect: Effect) -> Undo<Effect>?

    /// Proves the output from the world, not from what perform said.
    func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict
}

extension Action {
    /// Itself alone.
    public static func amounts(to input: Input) -> [ActionDescriptor] { [descriptor] }
    /// Taking back what was approved is for those who approved it; what only contains says itself what its undo amounts to.
    public static var undoing: [ActionDescriptor] {
        switch descriptor.nature {
        case .reads, .contains: []
        case .alters, .destroys: [descriptor]
        }
    }
    /// Effects last unless the action says otherwise.
    public static func endsWithMachine(_ effect: Effect) -> Bool { false }
    /// By an encoder.
    public static func document(of input: Input) throws(Failure) -> JSONValue { try JSONEncoding.value(of: input) }
    /// By an encoder.
    public static func entry(of effect: Effect) throws(Failure) -> JSONValue { try JSONEncoding.value(of: effect) }
    /// Nothing can be taken back unless the action says how.
    public func undo(_ effect: Effect) -> Undo<Effect>? { nil }
    /// What needs no capture has nothing to confirm; an action whose evidence is a capture has to look.
    public func confirm(_ capture: CaptureRecord, of pins: [SessionPin]) throws(Failure) {}
    /// What reads needs no proof.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict { .holds }
}

/// What ``Action/inspect(_:in:)`` saw.
public struct Observation<Target: Codable & Sendable>: Sendable {
    /// What was pinned.
    public let target: Target
    /// The sessions that the action is about; the gate compares them.
    public let pins: [SessionPin]
    /// What was decided, a line each, for the person who approves and for the digest of the plan: which cgroup, which
    /// credential, which kind of stray. Never raw pids or counters, which a forking agent changes at will (RT17).
    public let decisions: [String]

    /// Takes all parts.
    public init(target: Target, pins: [SessionPin], decisions: [String]) {
        self.target = target
        self.pins = pins
        self.decisions = decisions
    }
}

/// What an action would do.
public struct Plan<Target: Codable & Sendable, Effect: Codable & Hashable & Sendable>: Sendable {
    /// What was pinned.
    public let target: Target
    /// The effects that are known beforehand; perform may find more, such as strays, and logs them alike.
    public let effects: [Effect]

    /// Takes both parts.
    public init(target: Target, effects: [Effect]) {
        self.target = target
        self.effects = effects
    }
}

/// What one effect looks like in the world.
public enum EffectState: String, Sendable, Codable {
    /// It is not there.
    case notDone
    /// It is there.
    case done
    /// A part of it is there.
    case partly
    /// Nobody can say.
    case cannotTell
}

/// How to take one effect back: itself an effect of the same log.
public struct Undo<Effect: Codable & Hashable & Sendable>: Sendable {
    /// What will have been done.
    public let effect: Effect
    /// Does it.
    public let perform: @Sendable (Scope) throws(Failure) -> Void

    /// Takes both parts.
    public init(_ effect: Effect, _ perform: @escaping @Sendable (Scope) throws(Failure) -> Void) {
        self.effect = effect
        self.perform = perform
    }
}

/// What ``Action/verify(_:in:)`` found.
public enum Verdict: Hashable, Sendable {
    /// The world is as the output says.
    case holds
    /// A part is; the reasons name the rest, a line each.
    case partly([String])
    /// It is not.
    case fails([String])
}
