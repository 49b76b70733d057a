public import Base
public import Casework
public import Containment
public import Engine
public import Kernel
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

    /// What was pinned: the groups to cut.
    public struct Target: Sendable, Codable {
        let groups: [CgroupPin]
        /// Processes that Quell moved into them.
        let moved: [ProcessPin]
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

    private let host: Host
    private let home: Case?

    /// Works on this machine. Without a case the groups that Quell made for the session are not known.
    public init(on host: Host, home: Case?) {
        self.host = host
        self.home = home
    }

    /// Finds the session's groups.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let pin = input.session.pin
        let held = heldSession(of: pin)
        let all = (pin.cgroups + (held?.quarantines ?? [])).filter { $0.hierarchy == "v2" }
        guard !all.isEmpty else {
            throw Failure(
                .refused,
                "isolate the session",
                on: String(decoding: input.session.locator.argument.bytes, as: UTF8.self),
                because: "it has no cgroup of its own to cut, and Quell has made none",
                hint: "quell freeze moves it into one and cuts that"
            )
        }
        return Observation(
            target: Target(groups: all, moved: held?.moved ?? []),
            pins: [pin],
            decisions: all.map { "drop the network of \($0.path)" }
        )
    }

    /// What the case says that we hold. A journal that does not hold never forbids a cut (RT12): then only the session's
    /// own groups are known.
    private func heldSession(of pin: SessionPin) -> HeldSession? {
        guard let home else { return nil }
        do throws(Failure) { return try HeldSession(actingOn: pin, in: home, on: host) } catch { return nil }
    }

    /// The ids of programs are not known beforehand.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        Plan(target: seen.target, effects: [])
    }

    /// Cuts what is not cut already.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        var cut = try Cut.drop(plan.target.groups, on: host) { effects, act throws(Failure) in
            try log.apply(effects, act)
        }
        cut.notReached += OlderSockets(host).told(of: plan.target.moved, beside: cut.drops)
        return Output(cut: cut, isComplete: cut.isComplete)
    }

    /// Asks the kernel.
    public func probe(_ effect: Effect, in scope: Scope) throws(Failure) -> EffectState {
        EffectState(try effect.probe(on: host))
    }

    /// Takes the drop away.
    public func undo(_ effect: Effect) -> Undo<Effect>? { ContainmentUndo.of(effect, on: host) }

    /// Each drop is asked for again.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        guard try Cut.stands(output.cut, on: host) else { return .fails(["the drop does not stand"]) }
        let reasons = output.cut.notReached + output.cut.failures.map(\.description)
        return reasons.isEmpty ? .holds : .partly(reasons)
    }
}
