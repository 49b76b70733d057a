public import Base
public import Containment
public import Engine
public import Kernel
import Sessions

/// Lets go what could start a session again, and nothing else: what is frozen stays frozen. After a kill this is how the
/// supervisors run again. A thaw does it, too.
public struct ReleaseRestartAction: ContainmentAction {
    /// What a playbook or a command gives.
    public typealias Input = SessionInput

    /// What was pinned: what is to be taken back.
    public struct Target: Sendable, Codable {
        let effects: [ContainmentEffect]
        let emptyGroups: [CgroupPin]
    }

    /// What runs again.
    public struct Output: Sendable, Codable {
        /// Everything that Containment has to say.
        public let result: LetGoResult
    }

    /// What is known without running it.
    public static let descriptor = ActionDescriptor(
        name: "release-restart",
        summary: "let what could start a session again go",
        nature: .alters,
        lane: .containment,
        deadline: .seconds(10),
        evidence: .stateInIntents,
        inputs: [Field("session", .session, "whose")]
    )

    private let place: Workplace
    /// This machine.
    public var host: Host { place.host }

    /// Works at `place`.
    public init(_ place: Workplace) { self.place = place }

    /// Reads from the journal what is held.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let held = try HeldSession(actingOn: input.session.pin, in: place.home, on: host)
        guard !held.holds.isEmpty || held.unfinished.contains(Self.descriptor.name) else {
            throw Failure(
                .refused,
                "let the supervisors go",
                on: String(decoding: input.session.locator.argument.bytes, as: UTF8.self),
                because: "none of it is held in this case",
                hint: "quell status"
            )
        }
        return Observation(
            target: Target(effects: held.holds, emptyGroups: try held.made.emptyHolds(on: host)),
            pins: [input.session.pin],
            decisions: ["let what could start it again go"]
        )
    }

    /// The inverse of what stands.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        Plan(target: seen.target, effects: seen.target.effects.reversed().compactMap(\.inverse))
    }

    /// Puts back.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        let result = try SupervisorHold.letGo(
            plan.target.effects,
            emptyGroups: plan.target.emptyGroups,
            on: host,
            apply: log.record
        )
        return Output(result: result)
    }

    /// Holds it again.
    public func undo(_ effect: Effect) -> Undo<Effect>? { ContainmentUndo.of(effect, on: host) }

    /// What is not back is named.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        .lacking(HoldRestartAction.notLetGo(output.result))
    }
}
