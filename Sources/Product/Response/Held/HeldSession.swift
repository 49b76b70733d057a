public import Base
public import Casework
public import Containment
import Engine
import Glibc
public import Kernel
import Sessions

/// What Quell did to a session and has not taken back, as the case's journal tells it: the ground for freezing again,
/// capture, thaw, kill, release and status. About an intent without outcome, which a killed process leaves, the world is
/// asked.
public struct HeldSession: Sendable {
    /// The effects of containment that were done and not reversed, oldest first.
    public let effects: [ContainmentEffect]
    /// What the last freeze said.
    public let lastFreeze: FreezeResult?
    /// The actions of steps that were begun and have not come to their end: such a one may find nothing left to do.
    let unfinished: Set<String>
    /// The groups that Quell made for the session.
    let made: MadeGroups
    /// The processes that a freeze held; none when nothing is held any more.
    public let members: [ProcessPin]

    /// The processes joined to the session that a freeze held on demand; none when they were let go.
    public let peers: [ProcessPin]

    /// Until when the cut is meant to stand; `nil` without a cut or without a lease.
    public let lease: CutLease?
    /// What was done to the session and cannot be undone, a line each.
    public let irreversible: [String]

    /// Reads the journal of `home` as it is: for telling and for collecting, which a damaged journal must not stop.
    ///
    /// - Throws: `malformed` when an entry is not of Quell's form.
    public init(of pin: SessionPin, in home: Case, on host: Host) throws(Failure) {
        try self.init(of: pin, entries: try home.journal.entries()) { effect throws(Failure) in
            try effect.probe(on: host)
        }
    }

    /// Reads the journal of `home` and acts upon it: only when chain and checkpoints hold (RT20).
    ///
    /// - Throws: `notVerified` when they do not.
    public init(actingOn pin: SessionPin, in home: Case, on host: Host) throws(Failure) {
        try self.init(actingOn: pin, in: home) { effect throws(Failure) in try effect.probe(on: host) }
    }

    init(
        actingOn pin: SessionPin,
        in home: Case,
        probe: (ContainmentEffect) throws(Failure) -> ContainmentEffectState
    ) throws(Failure) {
        try self.init(of: pin, entries: try home.journal.verify().verified(of: home.id).entries, probe: probe)
    }

    init(
        of pin: SessionPin,
        entries: [Entry],
        probe: (ContainmentEffect) throws(Failure) -> ContainmentEffectState
    ) throws(Failure) {
        let record = try HeldRecord(of: pin, entries)
        var kept = KeptEffects()
        for intent in record.intents { try kept.take(intent.effect, intent.state, probe) }
        effects = try kept.settled(probe)
        lastFreeze = record.lastFreeze
        unfinished = Set(record.unfinished.values)
        made = MadeGroups(record.intents.map(\.effect), standing: effects)
        members = effects.contains(where: \.holds) ? record.members : []
        let isCut = effects.contains { if case .attachDrop = $0 { true } else { false } }
        lease = isCut ? record.lease : nil
        irreversible = record.irreversible
        var standing: Set<ProcessPin> = []
        for case .hold(let process, _, _) in effects { standing.insert(process) }
        peers = record.peers.filter(standing.contains)
    }

    /// The network drops that stand.
    public var drops: [Drop] {
        effects.compactMap { effect -> Drop? in
            guard case .attachDrop(let group, let program) = effect else { return nil }
            return Drop(group: group, program: program)
        }
    }

    /// The tables of nftables that stand.
    public var tables: [PacketTable] {
        effects.compactMap { effect -> PacketTable? in
            guard case .addTable(let table) = effect else { return nil }
            return table
        }
    }

    /// The effects that hold who carries the session's networks.
    var carriers: [ContainmentEffect] { effects.filter { $0.held(as: .carrier) != nil } }

    /// Ends of self-tests that a killed Quell left begun.
    var openTrials: [ContainmentEffect] {
        effects.compactMap { effect -> ContainmentEffect? in
            guard case .beginTrial = effect else { return nil }
            return effect.inverse
        }
    }

    /// The groups that were frozen by us, quarantine ones included.
    public var frozenGroups: [CgroupPin] {
        var groups: [CgroupPin] = []
        for effect in effects {
            if case .freeze(let group, _) = effect, !groups.contains(group) { groups.append(group) }
        }
        return groups
    }

    /// The supervisors that are held, each once, though they may have ended since.
    public var supervisors: [ProcessPin] {
        var found: [ProcessPin] = []
        for case .hold(let process, _, _) in effects where !found.contains(process) && !peers.contains(process) {
            found.append(process)
        }
        return found
    }

    /// The units of systemd's that are kept from restarting, or that were stopped because they start the session, and the
    /// tables of cron's in which an entry is a comment now.
    public var heldUnits: [String] {
        effects.compactMap { effect -> String? in
            switch effect {
            case .holdUnit(let unit, _, _), .stopUnit(let unit, _): unit
            case .holdEntry(let hold): "an entry of \(hold.entry.table)"
            default: nil
            }
        }
    }

    /// What has to be taken back to let the supervisors go.
    var holds: [ContainmentEffect] {
        effects.filter { effect in
            switch effect {
            case .hold, .makeHold, .holdUnit, .stopUnit, .quietWatchdog, .holdEntry: true
            default: false
            }
        }
    }

    /// The groups that Quell made for the session, by inode as the intents know it (RT34).
    var ownGroups: [CgroupPin] { made.quarantines + made.asides }

    /// What a freeze that is repeated takes up.
    var earlierFreeze: EarlierFreeze {
        var earlier = EarlierFreeze(quarantine: made.quarantines.last, aside: made.asides.last)
        for effect in effects {
            switch effect {
            case .freeze(let group, requestedBefore: false): earlier.frozen.append(group)
            case .move(let process, _, let to) where to == earlier.quarantine: earlier.held.append(process)
            case .move(let process, _, let to) where to == earlier.aside: earlier.spared.append(process)
            default: continue
            }
        }
        return earlier
    }

    /// Those of them that hold processes of the session, and not the guests that were moved aside (RT11).
    var quarantines: [CgroupPin] { ownGroups.filter(frozenGroups.contains) }

    /// The processes that Quell moved into its quarantines, each once.
    var moved: [ProcessPin] {
        var found: [ProcessPin] = []
        for case .move(let process, _, let to) in effects where quarantines.contains(to) && !found.contains(process) {
            found.append(process)
        }
        return found
    }

    /// The groups that Quell moved them out of, each once.
    var origins: [CgroupPin] {
        var found: [CgroupPin] = []
        for case .move(_, let from, let to) in effects where quarantines.contains(to) && !found.contains(from) {
            found.append(from)
        }
        return found
    }

    /// What the last freeze said, with the groups and members of the freezes before it that still hold: a kill has to
    /// reach them all.
    var everything: FreezeResult? {
        guard var result = lastFreeze else { return nil }
        for group in frozenGroups where !result.groups.contains(where: { $0.group == group }) {
            result.groups.append(
                FrozenGroup(group: group, isFrozen: true, requestedBefore: false, processes: 0, threads: 0)
            )
        }
        result.members += members.filter { !result.members.contains($0) }
        return result
    }

    /// Why nothing can be taken back or killed: Quell holds nothing of the session in this case, or it was interrupted
    /// while it froze it and knows not yet who is held.
    func notHeld(_ attempt: String, _ session: SessionReference, in home: Case) -> Failure {
        let isBegun = lastFreeze == nil && !frozenGroups.isEmpty
        return Failure(
            .refused,
            attempt,
            on: String(decoding: session.locator.argument.bytes, as: UTF8.self),
            because: isBegun
                ? "its freeze did not come to its end; freezing it again takes up what stands"
                : "no freeze of it is on record in this case",
            hint: isBegun ? session.pin.hint("freeze", in: home.id) : "quell status"
        )
    }
}

extension SessionPin {
    /// A command about the session that can be typed as it is, made of ids only (RT14). Where only a path names the session,
    /// the command that shows the case.
    func hint(_ verb: String, in home: CaseID) -> String {
        leader.map { "quell \(verb) pid:\($0.pid) --case \(home)" } ?? "quell status \(home)"
    }
}

extension ContainmentEffect {
    /// Whether it keeps processes from running.
    fileprivate var holds: Bool {
        switch self {
        case .freeze: true
        case .signal(_, let number): number == SIGSTOP
        default: false
        }
    }
}
