public import Base
public import Casework
public import Containment
public import Engine
public import Kernel
import Sessions

/// Holds what could start a session again, or kill it while it is frozen (RT4). A freeze does it, too, unless told
/// otherwise.
public struct HoldRestartAction: ContainmentAction {
    /// What a playbook or a command gives.
    public typealias Input = SessionInput

    /// What was pinned.
    public struct Target: Sendable, Codable {
        let pin: SessionPin
        /// Processes that Quell holds elsewhere.
        let members: [ProcessPin]
        /// Groups that Quell froze.
        let frozen: [CgroupPin]
        /// Why it is not known what Quell holds elsewhere.
        let unknown: String?
    }

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

    /// This machine.
    public let host: Host
    private let home: Case?
    private let reason: String?

    /// Works on this machine. Without a case the processes that Quell moved elsewhere are not known: `reason` says why
    /// there is none, and `nil` that none were ever moved.
    public init(on host: Host, home: Case?, because reason: String? = nil) {
        self.host = host
        self.home = home
        self.reason = reason
    }

    /// Takes the pins as they are.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let pin = input.session.pin
        let known = KnownHold(of: pin, in: home, because: reason, on: host)
        return Observation(
            target: Target(
                pin: pin,
                members: known.held?.members ?? [],
                frozen: known.held?.frozenGroups ?? [],
                unknown: known.unknown
            ),
            pins: [pin],
            decisions: ["hold what could start it again"]
        )
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
        var result = try SupervisorHold(host).hold(
            supervisorsOf: plan.target.pin,
            members: plan.target.members,
            frozen: plan.target.frozen,
            apply: log.record
        )
        if let unknown = plan.target.unknown { result.unknown.append(unknown) }
        return Output(result: result, isComplete: result.isComplete)
    }

    /// Lets it go.
    public func undo(_ effect: Effect) -> Undo<Effect>? { ContainmentUndo.of(effect, on: host) }

    /// What is not held is named.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        .lacking(FreezeWords.unheld(output.result.supervisors) + output.result.unknown)
    }

    /// A line for each supervisor that is not back where it came from.
    static func notLetGo(_ result: LetGoResult) -> [String] {
        result.couldNotReturn.map { "supervisor \($0.process.pid) is not back in \($0.origin): \($0.reason)" }
            + result.failures.map(\.description)
    }
}
