public import Base
internal import Glibc
public import Kernel

/// What a thaw did.
public struct ThawResult: Hashable, Sendable, Codable {
    /// Groups that were thawed.
    public var thawed: [CgroupPin] = []
    /// Groups that somebody else had frozen before Quell, and that stay so.
    public var leftFrozen: [CgroupPin] = []
    /// Groups that are not thawed: a frozen parent, or a request that did not take.
    public var stillFrozen: [CgroupPin] = []
    /// Processes that were put back where they came from.
    public var putBack: [ProcessPin] = []
    /// Processes that could not be put back, with the reason; they run where Quell had put them.
    public var couldNotReturn: [Unreturned] = []
    /// Processes that joined while it was frozen, and run now.
    public var joined: [ProcessPin] = []
    /// Drops that still stand.
    public var keptDrops: [Drop] = []
    /// Drops that were to stay and do not stand any more, though their group does: somebody else took them away.
    public var lostDrops: [Drop] = []
    /// Processes that were put back into groups without a drop while the cut is kept: their new sockets are not cut.
    public var uncut: [ProcessPin] = []
    /// What the release did, when it was asked for.
    public var released: ReleaseResult?
    /// Groups of Quell's own that were removed.
    public var removed: [CgroupPin] = []
    /// What letting the supervisors go did; after the groups were thawed, so that none of them meets a frozen session.
    public var supervisors = LetGoResult()
    /// What failed.
    public var failures: [Failure] = []

    /// Starts with nothing done.
    public init() {}

    /// Whether everything runs again where it belongs, and has its network if that was asked for.
    public var isComplete: Bool {
        stillFrozen.isEmpty && couldNotReturn.isEmpty && failures.isEmpty && (released?.isComplete ?? true)
            && supervisors.isComplete
    }
}

/// A process that could not be put back.
public struct Unreturned: Hashable, Sendable, Codable {
    /// Which one.
    public let process: ProcessPin
    /// Where it came from.
    public let origin: BytePath
    /// Why not.
    public let reason: String
}

/// Lets a session run again: moved processes go back, then what Quell froze is thawed, and only that.
public struct Thaw {
    private let host: Host
    private let apply: (ContainmentEffect, () throws(Failure) -> Void) throws(Failure) -> Void
    private var result = ThawResult()
    private var looks = Looks()

    /// Takes back the effects of a freeze. `ownGroups` are groups that Quell made and that no effect of these names by inode
    /// any more, because an earlier thaw took the rest back; `members` are the processes that were held then, for telling who joined; with
    /// `release` the drops go too, else they stay (RT2). `emptyHolds` are groups for supervisors that were never used.
    public static func thaw(
        _ effects: [ContainmentEffect],
        members: [ProcessPin],
        ownGroups: [CgroupPin] = [],
        emptyHolds: [CgroupPin] = [],
        release: Bool = false,
        on host: Host,
        apply: Apply
    ) throws(Failure) -> ThawResult {
        try withoutActuallyEscaping(apply) { apply throws(Failure) in
            var thaw = Thaw(host: host) { effect, act throws(Failure) in try apply([effect], act) }
            thaw.tellJoined(effects, members)
            thaw.putBack(effects)
            try thaw.thawGroups(effects)
            try thaw.continueStopped(effects)
            thaw.result.supervisors = try SupervisorHold.letGo(
                effects,
                emptyGroups: emptyHolds,
                on: host,
                apply: apply
            )
            try thaw.handleDrops(effects, release, apply)
            thaw.removeOwnGroups(effects, ownGroups)
            thaw.result.failures += thaw.looks.failures
            return thaw.result
        }
    }

    private init(
        host: Host,
        apply: @escaping (ContainmentEffect, () throws(Failure) -> Void) throws(Failure) -> Void
    ) {
        self.host = host
        self.apply = apply
    }

    private mutating func tellJoined(_ effects: [ContainmentEffect], _ members: [ProcessPin]) {
        guard !members.isEmpty else { return }
        let scanner = ProcessScanner(host)
        let known = Set(members)
        for case .freeze(let pin, _) in effects {
            let host = self.host
            let found = looks.see { () throws(Failure) in try Cgroup(pin, on: host).treeMembers() }
            guard let found else { continue }
            for pid in found.flatMap(\.pids).sorted() {
                guard let stat = scanner.namedStat(of: pid), !known.contains(stat.pin) else { continue }
                result.joined.append(stat.pin)
            }
        }
    }

    /// Newest first, so that a process that was moved twice ends where it began.
    private mutating func putBack(_ effects: [ContainmentEffect]) {
        for effect in effects.reversed() {
            let process: ProcessPin
            let origin: CgroupPin
            switch effect {
            case .move(let moved, let from, _): (process, origin) = (moved, from)
            case .moveThread(let moved, _, let from, _): (process, origin) = (moved, from)
            default: continue
            }
            // Quell never goes back into a session's group, and the machine's first process was never of one.
            guard process.pid != ProcessScanner.ownPid, process.pid > 1, let inverse = effect.inverse else { continue }
            do throws(Failure) {
                let host = self.host
                guard try effect.probe(on: host) == .done else { continue }
                try apply(inverse) { () throws(Failure) in try inverse.performOnLiving(on: host) }
                result.putBack.append(process)
            } catch {
                // Who ended meanwhile needs no place; its move is on record as not done.
                if error.isOfEndedProcess { continue }
                result.couldNotReturn.append(Unreturned(process: process, origin: origin.path, reason: error.reason))
            }
        }
    }

    private mutating func thawGroups(_ effects: [ContainmentEffect]) throws(Failure) {
        for case .freeze(let pin, let requestedBefore) in effects {
            if requestedBefore {
                result.leftFrozen.append(pin)
                continue
            }
            do throws(Failure) {
                let control = try FreezerControl(Cgroup(pin, on: host))
                try apply(.thaw(group: pin)) { () throws(Failure) in try control.thaw() }
                let isThawed = try control.wait(for: .thawed, until: Deadline(after: .seconds(5)))
                if isThawed { result.thawed.append(pin) } else { result.stillFrozen.append(pin) }
            } catch {
                if error.code == .notFound || error.code == .changed { continue }
                result.failures.append(error)
            }
        }
    }

    private mutating func continueStopped(_ effects: [ContainmentEffect]) throws(Failure) {
        var continued: Set<ProcessPin> = []
        for effect in effects.reversed() {
            if case .pauseMachine(let process, _) = effect { goOn(process, effect) }
            guard case .signal(let process, let number) = effect, let inverse = effect.inverse else { continue }
            // The freeze itself stopped strays for a moment; that is over, and is not to be done again backwards.
            if number == SIGCONT { continued.insert(process) }
            guard number == SIGSTOP, !continued.contains(process) else { continue }
            do throws(Failure) {
                let host = self.host
                guard try effect.probe(on: host) == .done else { continue }
                try apply(inverse) { () throws(Failure) in try inverse.perform(on: host) }
            } catch {
                result.failures.append(error)
            }
        }
    }

    /// A machine that Quell had its monitor pause, or asked it to; one that has ended needs nothing.
    private mutating func goOn(_ process: ProcessPin, _ effect: ContainmentEffect) {
        guard let inverse = effect.inverse, ProcessScanner(host).namedStat(of: process.pid)?.pin == process else {
            return
        }
        let host = self.host
        do throws(Failure) {
            try apply(inverse) { () throws(Failure) in try inverse.perform(on: host) }
        } catch {
            result.failures.append(
                Failure(
                    error.code,
                    error.attempt,
                    on: error.subject,
                    because: "the machine may be paused, ask its monitor (query-status, cont): \(error.reason)",
                    errno: error.errno
                )
            )
        }
    }

    private mutating func handleDrops(
        _ effects: [ContainmentEffect],
        _ release: Bool,
        _ apply: Apply
    ) throws(Failure) {
        var drops: [Drop] = []
        for case .attachDrop(let group, let program) in effects { drops.append(Drop(group: group, program: program)) }
        guard !release else {
            var tables: [PacketTable] = []
            for case .addTable(let table) in effects { tables.append(table) }
            let carriers = effects.filter { $0.held(as: .carrier) != nil }
            result.released = try Cut.release(drops, tables, carriers: carriers, on: host, apply: apply)
            return
        }
        for drop in drops {
            let effect = ContainmentEffect.attachDrop(group: drop.group, program: drop.program)
            switch try effect.probe(on: host) {
            case .done: result.keptDrops.append(drop)
            case .notDone, .partly: result.lostDrops.append(drop)
            case .cannotTell: continue
            }
        }
        let cut = Set(result.keptDrops.map(\.group))
        for case .move(let process, let from, let to) in effects
        where cut.contains(to) && !cut.contains(from) && result.putBack.contains(process) {
            result.uncut.append(process)
        }
    }

    /// Removes the groups that Quell made: by inode from the effects, never by name (RT34), and only when they are empty.
    private mutating func removeOwnGroups(_ effects: [ContainmentEffect], _ others: [CgroupPin]) {
        var names: Set<BytePath> = []
        for case .makeGroup(_, let name) in effects { names.insert(BytePath("/" + name)) }
        var own = others
        for effect in effects {
            switch effect {
            case .freeze(let pin, _), .move(_, _, let pin):
                if names.contains(pin.path), !own.contains(pin) { own.append(pin) }
            default: continue
            }
        }
        for pin in own {
            do throws(Failure) {
                let group = try Cgroup(pin, on: host)
                guard try group.memberPids().isEmpty else { continue }
                try apply(.removeGroup(group: pin)) { () throws(Failure) in try group.remove() }
                result.removed.append(pin)
                result.keptDrops.removeAll { $0.group == pin }
            } catch {
                if error.code != .notFound && error.code != .changed { result.failures.append(error) }
            }
        }
    }
}
