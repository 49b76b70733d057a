public import Base
public import Containment
public import Engine
import Sessions

/// Drops the network of a session both ways; reversible, and never undone by itself (RT2). After a freeze it finds the
/// drop already there and proves it.
public struct IsolateAction: Action {
    /// What a playbook or a command gives.
    public struct Input: Hashable, Sendable, Codable {
        /// Whose.
        public var session: SessionReference

        /// Takes it.
        public init(session: SessionReference) { self.session = session }
    }

    /// What was pinned: the groups without a drop of ours.
    public struct Target: Sendable, Codable {
        let groups: [CgroupPin]
        let standing: [Drop]
    }

    /// The primitive acts of containment.
    public typealias Effect = ContainmentEffect

    /// What is cut now.
    public struct Output: Sendable, Codable {
        /// Every drop that stands.
        public let cut: CutResult
        /// Whether every group is cut.
        public let isComplete: Bool
    }

    /// What is known without running it.
    public static let descriptor = ActionDescriptor(
        name: "isolate",
        summary: "drop the network of a session both ways",
        nature: .contains,
        lane: .containment,
        deadline: .seconds(10),
        inputs: [Field("session", .session, "whose")],
        outputs: [Field("isComplete", .flag, "whether every group is cut")]
    )

    private let place: Workplace

    /// Works at `place`.
    public init(_ place: Workplace) { self.place = place }

    /// Finds the session's groups and which of them are cut already.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let pin = input.session.pin
        let held = try HeldSession(of: pin, in: place.home)
        var standing: [Drop] = []
        for drop in held.drops {
            let effect = Effect.attachDrop(group: drop.group, program: drop.program)
            if try effect.probe(on: place.host) == .done { standing.append(drop) }
        }
        let all = pin.cgroups.filter { $0.hierarchy == "v2" } + held.ownGroups.filter { $0.hierarchy == "v2" }
        guard !all.isEmpty else {
            throw Failure(
                .refused,
                "isolate the session",
                on: String(decoding: input.session.locator.argument.bytes, as: UTF8.self),
                because: "it has no cgroup of its own to cut, and Quell has made none",
                hint: "quell freeze moves it into one and cuts that"
            )
        }
        let open = all.filter { group in !standing.contains { $0.group == group } }
        return Observation(
            target: Target(groups: open, standing: standing),
            pins: [pin],
            decisions: pin.cgroups.filter { $0.hierarchy == "v2" }.map { "drop the network of \($0.path)" }
        )
    }

    /// The ids of programs are not known beforehand.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        Plan(target: seen.target, effects: [])
    }

    /// Cuts what is not cut.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        var cut = CutResult()
        if !plan.target.groups.isEmpty {
            cut = try Cut.drop(plan.target.groups, on: place.host) { effects, act throws(Failure) in
                try log.apply(effects, act)
            }
        }
        cut.drops = plan.target.standing + cut.drops
        return Output(cut: cut, isComplete: cut.isComplete)
    }

    /// Asks the kernel.
    public func probe(_ effect: Effect, in scope: Scope) throws(Failure) -> EffectState {
        EffectState(try effect.probe(on: place.host))
    }

    /// Takes the drop away.
    public func undo(_ effect: Effect) -> Undo<Effect>? { ContainmentUndo.of(effect, on: place.host) }

    /// Each drop is asked for again.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        guard try Cut.stands(output.cut, on: place.host) else { return .fails(["the drop does not stand"]) }
        let reasons = output.cut.notReached + output.cut.failures.map(\.description)
        return reasons.isEmpty ? .holds : .partly(reasons)
    }
}
