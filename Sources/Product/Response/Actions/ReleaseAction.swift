public import Base
public import Containment
public import Engine
public import Kernel

/// Gives a session its network back: takes away exactly the drops and the tables that Quell put there.
public struct ReleaseAction: ContainmentAction {
    /// What a playbook or a command gives.
    public typealias Input = SessionInput

    /// What was pinned: the drops and the tables.
    public struct Target: Sendable, Codable {
        let drops: [Drop]
        let tables: [PacketTable]
        /// The effects that hold who carries its networks.
        let carriers: [ContainmentEffect]
        /// Ends of self-tests that a killed Quell left begun.
        let trials: [ContainmentEffect]
    }

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
    /// This machine.
    public var host: Host { place.host }

    /// Works at `place`.
    public init(_ place: Workplace) { self.place = place }

    /// Reads from the journal which drops stand.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let held = try HeldSession(actingOn: input.session.pin, in: place.home, on: host)
        guard
            !held.drops.isEmpty || !held.tables.isEmpty || !held.carriers.isEmpty
                || held.unfinished.contains(Self.descriptor.name)
        else {
            throw held.notHeld("release the session", input.session, in: place.home)
        }
        return Observation(
            target: Target(
                drops: held.drops,
                tables: held.tables,
                carriers: held.carriers,
                trials: held.openTrials
            ),
            pins: [input.session.pin],
            decisions: held.drops.map { "give \($0.group.path) its network back" }
                + held.tables.map { "remove the table \($0.name)" }
                + held.carriers.compactMap(\.inverse?.summary)
        )
    }

    /// One detachment a drop, one removal a table.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        Plan(
            target: seen.target,
            effects: seen.target.tables.map { .removeTable($0) }
                + seen.target.drops.map { .detachDrop(group: $0.group, program: $0.program) }
                + seen.target.carriers.compactMap(\.inverse)
        )
    }

    /// Removes the tables, then the drops, and lets who carries its networks go.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        let target = plan.target
        var result = try Cut.release(
            target.drops,
            target.tables,
            carriers: target.carriers,
            on: host,
            apply: log.record
        )
        result.failures += OpenTrials.end(target.trials, on: host, log)
        return Output(result: result)
    }

    /// What failed is named.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        .lacking(output.result.failures.map(\.description) + Self.notLetGo(output.result.carriers))
    }

    /// A line for each process that is not back where it came from.
    static func notLetGo(_ result: LetGoResult) -> [String] {
        result.couldNotReturn.map { "process \($0.process.pid) is not back in \($0.origin): \($0.reason)" }
            + result.failures.map(\.description)
    }
}
