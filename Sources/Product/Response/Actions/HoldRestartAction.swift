public import Base
public import Casework
public import Containment
public import Engine
public import Kernel
import Sessions

/// Holds what could start a session again, or kill it while it is frozen (RT4). A freeze does it, too, unless told
/// otherwise.
public struct HoldRestartAction: Action {
    /// What a playbook or a command gives.
    public struct Input: Hashable, Sendable, Codable {
        /// Whose.
        public var session: SessionReference

        /// Takes it.
        public init(session: SessionReference) { self.session = session }
    }

    /// What was pinned.
    public struct Target: Sendable, Codable {
        let pin: SessionPin
        /// Processes that Quell holds elsewhere.
        let members: [ProcessPin]
    }

    /// The primitive acts of containment.
    public typealias Effect = ContainmentEffect

    /// What is held now.
    public struct Output: Sendable, Codable {
        /// Everything that Containment has to say.
        public let result: HoldResult
        /// Whether each supervisor that was found is held.
        public let isComplete: Bool
    }

    /// What is known without running it.
    public static let descriptor = ActionDescriptor(
        name: "hold-restart",
        summary: "hold what could start a session again",
        nature: .contains,
        lane: .containment,
        deadline: .seconds(10),
        inputs: [Field("session", .session, "whose")],
        outputs: [Field("isComplete", .flag, "whether each supervisor that was found is held")]
    )

    private let host: Host
    private let home: Case?

    /// Works on this machine. Without a case the processes that Quell moved elsewhere are not known.
    public init(on host: Host, home: Case?) {
        self.host = host
        self.home = home
    }

    /// Takes the pins as they are.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        Observation(
            target: Target(pin: input.session.pin, members: members(of: input.session.pin)),
            pins: [input.session.pin],
            decisions: ["hold what could start it again"]
        )
    }

    /// A journal that does not hold forbids no containment (RT12).
    private func members(of pin: SessionPin) -> [ProcessPin] {
        guard let home else { return [] }
        do throws(Failure) { return try HeldSession(actingOn: pin, in: home, on: host).members } catch { return [] }
    }

    /// Supervisors are found on the way.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        Plan(target: seen.target, effects: [])
    }

    /// Finds and holds. What is held already stays so and is not moved again.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        let result = try SupervisorHold(host).hold(supervisorsOf: plan.target.pin, members: plan.target.members) {
            effects,
            act throws(Failure) in
            try log.apply(effects, act)
        }
        return Output(result: result, isComplete: result.isComplete)
    }

    /// Asks the kernel.
    public func probe(_ effect: Effect, in scope: Scope) throws(Failure) -> EffectState {
        EffectState(try effect.probe(on: host))
    }

    /// Lets it go.
    public func undo(_ effect: Effect) -> Undo<Effect>? { ContainmentUndo.of(effect, on: host) }

    /// What is not held is named.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        let reasons = FreezeWords.unheld(output.result.supervisors)
        return reasons.isEmpty ? .holds : .partly(reasons)
    }

    /// A line for each supervisor that is not back where it came from.
    static func notLetGo(_ result: LetGoResult) -> [String] {
        result.couldNotReturn.map { "supervisor \($0.process.pid) is not back in \($0.origin): \($0.reason)" }
            + result.failures.map(\.description)
    }
}
