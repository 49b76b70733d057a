public import Base
public import Containment
public import Engine
public import Kernel

/// The frame of every action of containment: its effects are the primitive acts of Containment, and whether one of them
/// stands is asked from the kernel.
public protocol ContainmentAction: Action where Effect == ContainmentEffect {
    /// This machine.
    var host: Host { get }
}

extension ContainmentAction {
    /// Asks the kernel.
    public func probe(_ effect: Effect, in scope: Scope) throws(Failure) -> EffectState {
        EffectState(try effect.probe(on: host))
    }

    /// As the effect says.
    public static func endsWithMachine(_ effect: Effect) -> Bool { effect.endsWithMachine }

    /// As an encoder would.
    public static func entry(of effect: Effect) throws(Failure) -> JSONValue { try effect.entry() }
}

/// The parameters of an action that needs to know only whose session it is.
public struct SessionInput: Hashable, Sendable, Codable {
    /// Whose.
    public var session: SessionReference

    /// Takes it.
    public init(session: SessionReference) { self.session = session }
}

extension EffectLog where Effect == ContainmentEffect {
    /// How Containment records what it does (``Containment/Apply``).
    func record(_ effects: [Effect], _ act: () throws(Failure) -> Void) throws(Failure) { try apply(effects, act) }
}

extension Verdict {
    /// Holds unless something is missing.
    static func lacking(_ reasons: [String]) -> Verdict { reasons.isEmpty ? .holds : .partly(reasons) }
}
