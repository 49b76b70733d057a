public import Base
public import Casework
public import Containment
public import Engine
public import Kernel
public import Sessions

/// Freezes a session with everything that strongly belongs to it, and drops its network (promise 1).
///
/// It needs no case: `quell freeze` runs it before the store has answered (RT12).
public struct FreezeAction: ContainmentAction {
    /// What a playbook or a command gives.
    public struct Input: Hashable, Sendable, Codable {
        /// Whose.
        public var session: SessionReference
        /// Whether the network is dropped, too; it is unless told.
        public var cut: Bool?
        /// Why a slice, or a group that holds sshd, journald or an engine, may be frozen.
        public var broad: String?
        /// Pids that a person adds: held like strong strays.
        public var include: [Int32]?
        /// Whether what could start the session again is held, too; it is unless told (RT4).
        public var holdRestart: Bool?
        /// Whether processes outside that are joined to it are held, too; they are not unless told.
        public var peers: Bool?

        /// Takes all parts.
        public init(
            session: SessionReference,
            cut: Bool? = nil,
            broad: String? = nil,
            include: [Int32]? = nil,
            holdRestart: Bool? = nil,
            peers: Bool? = nil
        ) {
            self.session = session
            self.cut = cut
            self.broad = broad
            self.include = include
            self.holdRestart = holdRestart
            self.peers = peers
        }

        /// As Swift would, without a key type of its own (``Base/JSONKey``).
        public func encode(to encoder: any Encoder) throws {
            var members = encoder.container(keyedBy: JSONKey.self)
            try members.encode(session, forKey: "session")
            if let cut { try members.encode(cut, forKey: "cut") }
            if let broad { try members.encode(broad, forKey: "broad") }
            if let include { try members.encode(include, forKey: "include") }
            if let holdRestart { try members.encode(holdRestart, forKey: "holdRestart") }
            if let peers { try members.encode(peers, forKey: "peers") }
        }
    }

    /// What an encoder gives, without one.
    public static func document(of input: Input) throws(Failure) -> JSONValue {
        var members = JSONObject()
        members["session"] = input.session.jsonValue
        if let cut = input.cut { members["cut"] = .bool(cut) }
        if let broad = input.broad { members["broad"] = .string(broad) }
        if let include = input.include { members["include"] = .array(include.map { .integer(Int64($0)) }) }
        if let holdRestart = input.holdRestart { members["holdRestart"] = .bool(holdRestart) }
        if let peers = input.peers { members["peers"] = .bool(peers) }
        return .object(members)
    }

    /// What was pinned.
    public struct Target: Sendable, Codable {
        let subject: Subject
        let policy: FreezePolicy
    }

    /// What is true now.
    public struct Output: Sendable, Codable {
        /// Everything that Containment has to say.
        public let result: FreezeResult
        /// `confirmed`, `unconfirmed`, `partial` or `failed`.
        public let word: String
        /// How many processes are frozen.
        public let processes: Int
        /// Whether peers were to be held.
        public var wantsPeers: Bool? = nil
    }

    /// What is known without running it.
    public static let descriptor = ActionDescriptor(
        name: "freeze",
        summary: "freeze a session and drop its network",
        nature: .contains,
        lane: .containment,
        deadline: .seconds(15),
        hold: .begins,
        inputs: [
            Field("session", .session, "whose"),
            Field("cut", .flag, isRequired: false, "whether the network is dropped, too"),
            Field("broad", .text, isRequired: false, "why a group that holds more than the session may be frozen"),
            Field("holdRestart", .flag, isRequired: false, "whether what could start it again is held, too"),
            Field("peers", .flag, isRequired: false, "whether tool servers and others joined to it are held, too"),
        ],
        outputs: [
            Field("word", .text, "confirmed, unconfirmed, partial or failed"),
            Field("processes", .integer, "how many processes are frozen"),
        ]
    )

    /// This machine.
    public let host: Host
    private let inventory: Inventory
    private let home: Case?
    /// Brings the record to disk before anything counts as proven, where an intent need not be there before its effect.
    public var recording: @Sendable () -> Void = {}
    /// Hears the word as soon as it is known, before Quell looks around.
    public var telling: @Sendable (FreezeResult) -> Void = { _ in }

    /// Works on this machine. Without a case nothing is known of earlier freezes but what the kernel says.
    public init(on host: Host, inventory: Inventory, home: Case? = nil) {
        self.host = host
        self.inventory = inventory
        self.home = home
    }

    /// Takes the pins as they are: the freeze itself opens them by inode, so nothing is read twice before it (RT7).
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        var included: [ProcessPin] = []
        for pid in input.include ?? [] {
            let scanner = ProcessScanner(host)
            guard let stat = scanner.namedStat(of: pid) else {
                throw Failure(.notFound, "include the process", on: "\(pid)", because: "there is no such process")
            }
            included.append(stat.pin)
        }
        let agent = input.session.agent.flatMap { inventory.agent(named: $0) }
        var policy = FreezePolicy(
            cut: input.cut ?? true,
            holdRestart: input.holdRestart ?? true,
            withPeers: input.peers ?? false,
            broad: input.broad
        )
        if case .qmp(let path) = input.session.locator { policy.monitor = path }
        policy.huntMilliseconds = Int(scope.deadline.remaining.inMilliseconds) * 2 / 3
        let pin = input.session.pin
        return Observation(
            target: Target(
                subject: Subject(pin: pin, dedicatedUser: agent?.uid, included: included),
                policy: policy
            ),
            pins: [pin],
            decisions: pin.cgroups.map { "freeze \($0.hierarchy) \($0.path)" }
                + (pin.cgroups.isEmpty ? ["freeze the processes of the leader in a group of Quell's"] : [])
                + (policy.cut ? ["drop its network"] : []) + ["hold strays with strong marks"]
                + (policy.holdRestart ? ["hold what could start it again"] : [])
                + (policy.withPeers ? ["hold who is joined to it"] : [])
        )
    }

    /// Taking a freeze back is a thaw, which needs what a thaw needs.
    public func confirm(_ capture: CaptureRecord, of pins: [SessionPin]) throws(Failure) {
        guard let home else { return }
        try UnbrokenHold(in: home, on: host).require(of: pins, since: capture, to: "take the freeze back")
    }

    /// The groups; strays are found on the way.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        let groups = seen.target.subject.pin.cgroups
        return Plan(target: seen.target, effects: groups.map { .freeze(group: $0, requestedBefore: false) })
    }

    /// Freezes. After a crash, or asked again, it takes up what stands: what is frozen stays so, what is cut is not cut
    /// twice, who is held is not moved again, and there is one quarantine.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        var held: HeldSession?
        if let home { held = try HeldSession(of: plan.target.subject.pin, in: home, on: host) }
        let result = try Freezer(host).freeze(
            plan.target.subject,
            plan.target.policy,
            after: held?.earlierFreeze ?? EarlierFreeze(),
            recording: recording,
            telling: telling,
            applyEach: { effects, act throws(Failure) in
                var isFresh = false
                for effect in effects where try !log.isDone(effect) { isFresh = true }
                if isFresh {
                    try log.applyEach(effects) { _ throws(Failure) in try act() }
                } else {
                    _ = try act()
                }
            }
        ) { effects, act throws(Failure) in
            var fresh: [Effect] = []
            for effect in effects where try !log.isDone(effect) { fresh.append(effect) }
            // Freezing what is frozen changes nothing, so it needs no record; the kernel's word is still waited for.
            if fresh.isEmpty { try act() } else { try log.apply(fresh, act) }
        }
        if let held { try removeStillborn(held, log) }
        return Output(
            result: result,
            word: result.word.rawValue,
            processes: result.processes,
            wantsPeers: plan.target.policy.withPeers
        )
    }

    /// A group that was made right before a crash, and of which nothing but its name is on record, is never used: this
    /// freeze has its own. The intent gives it its inode before it goes (RT34).
    private func removeStillborn(_ held: HeldSession, _ log: EffectLog<Effect>) throws(Failure) {
        for group in try held.made.found(on: host) {
            let removal = Effect.removeGroup(group: group)
            try log.apply(removal) { () throws(Failure) in try removal.perform(on: host) }
        }
    }

    /// The inverse, where there is one.
    public func undo(_ effect: Effect) -> Undo<Effect>? { ContainmentUndo.of(effect, on: host) }

    /// Confirmed holds when the network is dropped as well, or was not to be; everything else says what is missing.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        let result = output.result
        switch result.word {
        case .confirmed:
            return .lacking(FreezeWords.uncut(result) + FreezeWords.leftPeers(output))
        case .failed: return .fails(["nothing is held"] + result.failures.map(\.description))
        case .unconfirmed, .partial:
            return .partly(FreezeWords.shortfalls(of: result) + FreezeWords.leftPeers(output))
        }
    }
}

extension EffectState {
    /// The same in the terms of the engine.
    init(_ state: ContainmentEffectState) {
        self =
            switch state {
            case .done: .done
            case .notDone: .notDone
            case .partly: .partly
            case .cannotTell: .cannotTell
            }
    }
}

/// How effects of containment are taken back.
enum ContainmentUndo {
    static func of(_ effect: ContainmentEffect, on host: Host) -> Undo<ContainmentEffect>? {
        guard let inverse = effect.inverse else { return nil }
        return Undo(inverse) { _ throws(Failure) in try inverse.perform(on: host) }
    }
}
