public import Base
public import Casework
public import Containment
public import Engine
public import Kernel
import Sessions

/// Ends a frozen session for good, after a capture that counts or a waiver (promise 2).
public struct KillAction: ContainmentAction {
    /// What a playbook or a command gives.
    public struct Input: Hashable, Sendable, Codable {
        /// Whose.
        public var session: SessionReference
        /// How long to look for a successor, in nanoseconds; five seconds unless told.
        public var watch: Int64?

        /// Takes both parts.
        public init(session: SessionReference, watch: Int64? = nil) {
            self.session = session
            self.watch = watch
        }
    }

    /// What was pinned: the freeze that holds the session.
    public struct Target: Sendable, Codable {
        let frozen: FreezeResult
        let subject: Subject
        let policy: KillPolicy
        let ownGroups: [CgroupPin]
        /// The tables of nftables of its isolation.
        let tables: [PacketTable]
        /// Ends of self-tests that a killed Quell left begun.
        let trials: [ContainmentEffect]
    }

    /// What is left.
    public struct Output: Sendable, Codable {
        /// Everything that Containment has to say.
        public let result: KillResult
    }

    /// What is known without running it.
    public static let descriptor = ActionDescriptor(
        name: "kill",
        summary: "kill a frozen session and watch for a successor",
        nature: .destroys,
        lane: .containment,
        deadline: .seconds(60),
        hold: .ends,
        inputs: [
            Field("session", .session, "whose"),
            Field("watch", .duration, isRequired: false, "how long to look for a successor"),
        ]
    )

    private let place: Workplace
    /// This machine.
    public var host: Host { place.host }

    /// Works at `place`.
    public init(_ place: Workplace) { self.place = place }

    /// Finds the freeze that holds the session.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let held = try HeldSession(actingOn: input.session.pin, in: place.home, on: host)
        guard let frozen = held.everything, !held.frozenGroups.isEmpty || held.unfinished.contains(Self.descriptor.name)
        else {
            throw held.notHeld("kill the session", input.session, in: place.home)
        }
        let agent = try place.agent(of: input.session)
        var policy = KillPolicy()
        if let watch = input.watch { policy.watchMilliseconds = Int(watch / 1_000_000) }
        return Observation(
            target: Target(
                frozen: frozen,
                subject: Subject(pin: input.session.pin, dedicatedUser: agent?.uid),
                policy: policy,
                ownGroups: try held.ownGroups + held.made.found(on: host),
                tables: held.tables,
                trials: held.openTrials
            ),
            pins: [input.session.pin],
            decisions: held.frozenGroups.map { "kill everything in \($0.hierarchy) \($0.path)" }
        )
    }

    /// Nothing of the session may have run since the freeze and the capture.
    public func confirm(_ capture: CaptureRecord, of pins: [SessionPin]) throws(Failure) {
        try UnbrokenHold(in: place.home, on: host).require(of: pins, since: capture, to: Self.descriptor.name)
    }

    /// One kill a group.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        Plan(target: seen.target, effects: seen.target.frozen.groups.map { .killGroup(group: $0.group) })
    }

    /// Kills, waits, watches, and removes the groups that Quell made when they are empty.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        let target = plan.target
        var result = try Killer(host).kill(target.frozen, target.subject, target.policy) {
            effects,
            act throws(Failure) in
            // A v1 group may have to be thawed twice, and a guest be moved out twice: what is on record needs no other one.
            var isFresh = false
            for effect in effects where try !log.isDone(effect) { isFresh = true }
            if isFresh { try log.apply(effects, act) } else { try act() }
        }
        for group in target.ownGroups {
            do throws(Failure) {
                guard try Cgroup(group, on: host).isUnused() else { continue }
                let removal = Effect.removeGroup(group: group)
                try log.apply(removal) { () throws(Failure) in try removal.perform(on: host) }
            } catch {
                if error.code != .notFound && error.code != .changed { result.failures.append(error) }
            }
        }
        result.failures += OpenTrials.end(target.trials, on: host, log)
        if result.isComplete { removeTables(target.tables, log, &result) }
        return Output(result: result)
    }

    /// Of a session of which nobody is left, what was dropped at the host's end of its network goes with it.
    private func removeTables(_ tables: [PacketTable], _ log: EffectLog<Effect>, _ result: inout KillResult) {
        do throws(Failure) {
            for table in try Cut.spentTables(among: tables, on: host) {
                let removal = Effect.removeTable(table)
                guard try removal.probe(on: host) == .notDone else { continue }
                try log.apply(removal) { () throws(Failure) in try removal.perform(on: host) }
            }
        } catch {
            result.failures.append(error)
        }
    }

    /// Survivors, strays and successors are named.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        let result = output.result
        var reasons = result.remaining.map { "process \($0.pid) did not die" }
        reasons += result.strays.map { stray in
            let marks = stray.marks.map(\.rawValue).joined(separator: ", ")
            let why = marks.isEmpty ? stray.reason ?? "in doubt" : marks
            return "stray \(stray.process.pid) (\(stray.name)) was not killed and lives: \(why)"
        }
        reasons += result.spared.compactMap { guest in
            guest.doubt.map { "guest \(guest.process.pid) (\(guest.name)) was let run in doubt: \($0)" }
        }
        reasons += result.successors.map { "successor \($0.process.pid) (\($0.name)): \($0.reason)" }
        reasons += result.resembling.map { one in
            "perhaps a successor, \(one.process.pid) (\(one.name)): \(one.reason); quell freeze pid:\(one.process.pid)"
        }
        reasons += result.unknown.map { "not known: \($0)" }
        reasons += result.failures.map(\.description)
        if reasons.isEmpty { return .holds }
        return result.remaining.isEmpty ? .partly(reasons) : .fails(reasons)
    }
}
