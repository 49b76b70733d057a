public import Base
public import Casework
public import Containment
public import Engine
public import Kernel

/// Lets a session run again, with its processes back where they came from; the cut stays unless told (RT2).
public struct ThawAction: ContainmentAction {
    /// What a playbook or a command gives.
    public struct Input: Hashable, Sendable, Codable {
        /// Whose.
        public var session: SessionReference
        /// Whether the network comes back, too.
        public var release: Bool?
        /// Why it was the wrong session: then everything is taken back, the cut too.
        public var wrongTarget: String?

        /// Takes all parts.
        public init(session: SessionReference, release: Bool? = nil, wrongTarget: String? = nil) {
            self.session = session
            self.release = release
            self.wrongTarget = wrongTarget
        }

        /// Whether the network comes back.
        var isReleasing: Bool { release == true || wrongTarget != nil }
    }

    /// What was pinned: what is to be taken back.
    public struct Target: Sendable, Codable {
        let effects: [ContainmentEffect]
        let ownGroups: [CgroupPin]
        let emptyHolds: [CgroupPin]
        let members: [ProcessPin]
        let release: Bool
        /// Ends of self-tests that a killed Quell left begun.
        let trials: [ContainmentEffect]
        /// What was done and cannot be taken back.
        let irreversible: [String]
    }

    /// What runs again.
    public struct Output: Sendable, Codable {
        /// Everything that Containment has to say.
        public let result: ThawResult
        /// What was done to the session and cannot be taken back, a line each.
        public var irreversible: [String]? = nil
    }

    /// What is known without running it.
    public static let descriptor = ActionDescriptor(
        name: "thaw",
        summary: "let a session run again",
        nature: .alters,
        lane: .containment,
        deadline: .seconds(30),
        hold: .ends,
        inputs: [
            Field("session", .session, "whose"),
            Field("release", .flag, isRequired: false, "whether the network comes back, too"),
            Field("wrongTarget", .text, isRequired: false, "why it was the wrong session: everything is taken back"),
        ]
    )

    private let place: Workplace
    /// This machine.
    public var host: Host { place.host }

    /// Works at `place`.
    public init(_ place: Workplace) { self.place = place }

    /// Reads from the journal what Quell did and has not taken back.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let held = try HeldSession(actingOn: input.session.pin, in: place.home, on: host)
        guard !held.effects.isEmpty || held.unfinished.contains(Self.descriptor.name) else {
            throw held.notHeld("thaw the session", input.session, in: place.home)
        }
        return Observation(
            target: Target(
                effects: held.effects,
                ownGroups: try held.ownGroups + held.made.found(on: host),
                emptyHolds: try held.made.emptyHolds(on: host),
                members: held.members,
                release: input.isReleasing,
                trials: input.isReleasing ? held.openTrials : [],
                irreversible: held.irreversible
            ),
            pins: [input.session.pin],
            decisions: held.frozenGroups.map { "thaw \($0.hierarchy) \($0.path)" }
                + (held.supervisors.isEmpty && held.heldUnits.isEmpty ? [] : ["let what could start it again go"])
                + [input.isReleasing ? "give the network back" : "keep the cut"]
        )
    }

    /// Nothing of the session may have run since the freeze and the capture.
    public func confirm(_ capture: CaptureRecord, of pins: [SessionPin]) throws(Failure) {
        try UnbrokenHold(in: place.home, on: host).require(of: pins, since: capture, to: Self.descriptor.name)
    }

    /// The inverse of what stands.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        let inverses = seen.target.effects.reversed().compactMap(\.inverse).filter { effect in
            switch effect {
            case .detachDrop, .removeTable, .letCarrierGo: return seen.target.release
            case .endTrial: return false
            default: return true
            }
        }
        return Plan(target: seen.target, effects: inverses)
    }

    /// Puts back and thaws.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        let target = plan.target
        var result = try Thaw.thaw(
            target.effects,
            members: target.members,
            ownGroups: target.ownGroups,
            emptyHolds: target.emptyHolds,
            release: target.release,
            on: host,
            apply: log.record
        )
        result.failures += OpenTrials.end(target.trials, on: host, log)
        return Output(result: result, irreversible: target.irreversible)
    }

    /// What did not come back is named.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        let result = output.result
        var reasons = result.stillFrozen.map { "\($0.path) is still frozen" }
        reasons += result.leftFrozen.map { "\($0.path) stays frozen: it was frozen already when this case came to it" }
        reasons += result.couldNotReturn.map { "process \($0.process.pid) is not back in \($0.origin): \($0.reason)" }
        reasons += result.lostDrops.map { "the drop of \($0.group.path) was taken away by somebody else" }
        reasons += result.uncut.map { "process \($0.pid) is back in a group without a drop" }
        reasons += HoldRestartAction.notLetGo(result.supervisors)
        reasons += ReleaseAction.notLetGo(result.released?.carriers ?? LetGoResult())
        reasons += ((result.released?.failures ?? []) + result.failures).map(\.description)
        return .lacking(reasons)
    }
}
