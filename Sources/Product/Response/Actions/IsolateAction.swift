public import Base
public import Casework
public import Containment
public import Engine
public import Kernel
import Sessions

/// Isolates a session: drops its network both ways, puts its sockets on record and destroys them, and proves that nothing
/// passes. The drop is reversible and never undone by itself (RT2); the destroyed sockets are gone for good, so only this
/// action does it, never a freeze.
public struct IsolateAction: ContainmentAction {
    /// What a playbook or a command gives.
    public struct Input: Hashable, Sendable, Codable {
        /// Whose.
        public var session: SessionReference
        /// Addresses that stay reachable, `ADDR` or `ADDR:PORT`; none unless told.
        public var allow: [String]?
        /// For how long the cut is meant to stand, in nanoseconds: nothing but a reminder.
        public var lease: Int64?

        /// Takes all parts.
        public init(session: SessionReference, allow: [String]? = nil, lease: Int64? = nil) {
            self.session = session
            self.allow = allow
            self.lease = lease
        }
    }

    /// What was pinned.
    public struct Target: Sendable, Codable {
        let scope: IsolationScope
        let leader: ProcessPin?
        let allowed: AllowList
        let lease: Int64?
        let earlier: EarlierCut
        /// Ends of self-tests that a killed Quell left begun.
        let trials: [ContainmentEffect]
        /// Why it is not known what Quell holds elsewhere.
        let unknown: String?
    }

    /// What is true now.
    public struct Output: Sendable, Codable {
        /// Everything that Containment has to say.
        public let result: IsolationResult
        /// Whether every group is cut, no socket reaches past the drop, and the self-test showed it.
        public let isComplete: Bool
        /// Until when the cut is meant to stand; it stands on (RT2).
        public var lease: CutLease? = nil
    }

    /// What is known without running it.
    public static let descriptor = ActionDescriptor(
        name: "isolate",
        summary: "drop the network of a session and end its connections",
        nature: .contains,
        lane: .containment,
        deadline: .seconds(10),
        inputs: [
            Field("session", .session, "whose"),
            Field("allow", .list, isRequired: false, "addresses that stay reachable, ADDR or ADDR:PORT"),
            Field("lease", .duration, isRequired: false, "when people are reminded of the cut; it stands on"),
        ],
        outputs: [Field("isComplete", .flag, "whether every group is cut, and proven to be")]
    )

    /// This machine.
    public let host: Host
    private let home: Case?
    private let reason: String?

    /// Works on this machine. Without a case the groups that Quell made for the session are not known: `reason` says why
    /// there is none, and `nil` that none were ever made.
    public init(on host: Host, home: Case?, because reason: String? = nil) {
        self.host = host
        self.home = home
        self.reason = reason
    }

    /// Finds the session's groups and what stands already.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let pin = input.session.pin
        let known = KnownHold(of: pin, in: home, because: reason, on: host)
        let held = known.held
        let groups = pin.cgroups + (held?.quarantines ?? [])
        let unified = groups.filter { $0.hierarchy == "v2" }
        guard !unified.isEmpty else {
            throw Failure(
                .refused,
                "isolate the session",
                on: String(decoding: input.session.locator.argument.bytes, as: UTF8.self),
                because: "it has no cgroup of its own to cut, and Quell has made none",
                hint: "quell freeze moves it into one and cuts that"
            )
        }
        let allowed = try IsolateAction.allowed(input.allow ?? [])
        return Observation(
            target: Target(
                scope: IsolationScope(groups: groups, processes: held?.members ?? [], from: held?.origins ?? []),
                leader: pin.leader,
                allowed: allowed,
                lease: input.lease,
                earlier: EarlierCut(
                    drops: held?.drops ?? [],
                    tables: held?.tables ?? [],
                    frozen: held?.frozenGroups ?? []
                ),
                trials: held?.openTrials ?? [],
                unknown: known.unknown
            ),
            pins: [pin],
            decisions: unified.map { "drop the network of \($0.path)" }
                + allowed.entries.map { "leave \($0.text) reachable" }
                + ["keep its sockets on record and destroy them, which cannot be undone"]
        )
    }

    /// Reads the addresses of an allow list.
    ///
    /// - Throws: `usage` for one that is no address, or for more than the program can hold.
    public static func allowed(_ texts: [String]) throws(Failure) -> AllowList {
        var entries: [AllowList.Entry] = []
        for text in texts {
            guard let entry = AllowList.Entry(text) else {
                throw Failure(
                    .usage,
                    "leave an address reachable",
                    on: text,
                    because: "it is not ADDR, ADDR:PORT or [ADDR]:PORT with an IPv4 or IPv6 address of one machine"
                )
            }
            entries.append(entry)
        }
        guard entries.count <= AllowList.most else {
            throw Failure(
                .usage,
                "leave addresses reachable",
                on: "\(entries.count)",
                because: "the drop takes at most \(AllowList.most)"
            )
        }
        return AllowList(entries)
    }

    /// The ids of programs and the sockets are not known beforehand.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        Plan(target: seen.target, effects: [])
    }

    /// Cuts what is not cut already, and sweeps its sockets.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        let target = plan.target
        var result = try Isolator(host).isolate(
            target.scope,
            leader: target.leader,
            IsolationPolicy(allowed: target.allowed),
            after: target.earlier,
            by: scope.deadline,
            apply: log.record
        )
        if let unknown = target.unknown { result.unknown.append(unknown) }
        for failure in OpenTrials.end(target.trials, on: host, log) {
            result.test.shortfalls.append("the group of an earlier self-test is left: \(failure)")
        }
        return Output(
            result: result,
            isComplete: result.shortfalls.isEmpty,
            lease: target.lease.map { CutLease(for: .nanoseconds($0)) }
        )
    }

    /// Takes the drop away.
    public func undo(_ effect: Effect) -> Undo<Effect>? { ContainmentUndo.of(effect, on: host) }

    /// Each drop is asked for again. A self-test that failed makes the result partial, and the cut stays (RT2).
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        guard try Cut.stands(output.result.cut, on: host) else {
            return .fails(["the drop does not stand"] + output.result.shortfalls)
        }
        return .lacking(output.result.shortfalls)
    }
}
