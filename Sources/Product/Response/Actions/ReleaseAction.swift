public import Base
public import Containment
public import Engine

/// Gives a session its network back: takes away exactly the drops that Quell attached.
public struct ReleaseAction: Action {
    /// What a playbook or a command gives.
    public struct Input: Hashable, Sendable, Codable {
        /// Whose.
        public var session: SessionReference

        /// Takes it.
        public init(session: SessionReference) { self.session = session }
    }

    /// What was pinned: the drops.
    public struct Target: Sendable, Codable {
        let drops: [Drop]
    }

    /// The primitive acts of containment.
    public typealias Effect = ContainmentEffect

    /// What was taken away.
    public struct Output: Sendable, Codable {
        /// Everything that Containment has to say.
        public let result: ReleaseResult
    }

    /// What is known without running it.
    public static let descriptor = ActionDescriptor(
        name: "release",
        summary: "give a session its network back",
        nature: .alters,
        lane: .containment,
        deadline: .seconds(10),
        evidence: .stateInIntents,
        inputs: [Field("session", .session, "whose")]
    )

    private let place: Workplace

    /// Works at `place`.
    public init(_ place: Workplace) { self.place = place }

    /// Reads from the journal which drops stand.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let held = try HeldSession(actingOn: input.session.pin, in: place.home, on: place.host)
        guard !held.drops.isEmpty || held.unfinished.contains(Self.descriptor.name) else {
            throw held.notHeld("release the session", input.session)
        }
        return Observation(
            target: Target(drops: held.drops),
            pins: [input.session.pin],
            decisions: held.drops.map { "give \($0.group.path) its network back" }
        )
    }

    /// One detachment a drop.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        Plan(
            target: seen.target,
            effects: seen.target.drops.map { .detachDrop(group: $0.group, program: $0.program) }
        )
    }

    /// Detaches.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        let result = try Cut.release(plan.target.drops, on: place.host) { effects, act throws(Failure) in
            try log.apply(effects, act)
        }
        return Output(result: result)
    }

    /// Asks the kernel.
    public func probe(_ effect: Effect, in scope: Scope) throws(Failure) -> EffectState {
        EffectState(try effect.probe(on: place.host))
    }

    /// What failed is named.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        let reasons = output.result.failures.map(\.description)
        return reasons.isEmpty ? .holds : .partly(reasons)
    }
}
