public import Base
internal import Glibc
public import Kernel

/// How a kill goes about it.
public struct KillPolicy: Hashable, Sendable, Codable {
    /// How long to wait for the groups to be empty, in milliseconds.
    public var patienceMilliseconds: Int
    /// How long to look for a successor afterwards, in milliseconds (RT4).
    public var watchMilliseconds: Int

    /// Takes all parts.
    public init(patienceMilliseconds: Int = 10_000, watchMilliseconds: Int = 5000) {
        self.patienceMilliseconds = patienceMilliseconds
        self.watchMilliseconds = watchMilliseconds
    }
}

/// Kills a frozen session. A session that is not frozen is refused: a loop of signals does not win against a fork storm.
public struct Killer {
    private let host: Host

    /// Works on this host.
    public init(_ host: Host) {
        self.host = host
    }

    /// Kills everything in the groups of a freeze, guests excepted, and waits until they are empty. v2 groups by
    /// cgroup.kill; v1 groups by SIGKILL to all and then thawing, because v1-frozen tasks do not die before. What of the
    /// session stands outside is not killed, because it is not frozen; it is named.
    ///
    /// `apply` may leave out what is on record already, but for a thaw: it may have to be done twice.
    ///
    /// What does not die in time, and what came up afterwards, is in the result and no error. A group that is gone is
    /// empty. Throws ``Base/Failure/Code/refused`` for a group that is not frozen.
    public func kill(
        _ frozen: FreezeResult,
        _ subject: Subject,
        _ policy: KillPolicy = KillPolicy(),
        apply: Apply
    ) throws(Failure) -> KillResult {
        var result = KillResult()
        let groups = try open(frozen, subject.pin.leader, &result)
        let watch = try SuccessorWatch(subject, members: frozen.members, on: host)
        let strays = try spare(groups, frozen, subject, &result, apply)
        let doomed = try pins(in: groups, frozen)
        result.processes = doomed.count
        let deadline = Deadline(after: .milliseconds(policy.patienceMilliseconds))
        for group in groups {
            if group.cgroup.hierarchy.isUnified {
                try perform(.killGroup(group: group.cgroup.pin), &result, apply) { () throws(Failure) in
                    try group.cgroup.killAll()
                }
            }
        }
        try killHeadless(doomed, &result, apply)
        try releaseVersionOne(frozen, groups, deadline, &result, apply)
        for group in groups {
            if try group.control.waitUntilEmpty(until: deadline) { result.emptied.append(group.cgroup.pin) }
        }
        result.remaining = try pins(in: groups, frozen)
        // Who stands elsewhere empties no group.
        while !result.remaining.isEmpty, !deadline.hasPassed {
            usleep(1000)
            result.remaining = try pins(in: groups, frozen)
        }
        do throws(Failure) {
            let end = Deadline(after: .milliseconds(policy.watchMilliseconds))
            let found = try watch.look(until: end, not: doomed)
            result.successors = found.successors
            result.resembling = found.resembling
            result.unknown += found.unknown
        } catch {
            result.failures.append(error)
        }
        let scanner = ProcessScanner(host)
        result.strays = strays.filter { stray in
            scanner.namedStat(of: stray.process.pid).map { $0.pin == stray.process && !$0.numbers.isDead } ?? false
        }
        return result
    }

    private func open(
        _ frozen: FreezeResult,
        _ leader: ProcessPin?,
        _ result: inout KillResult
    ) throws(Failure) -> [HeldGroup] {
        var groups: [HeldGroup] = []
        for tally in frozen.groups {
            let group: HeldGroup
            do throws(Failure) {
                group = try HeldGroup(Cgroup(tally.group, on: host))
            } catch {
                guard error.code == .notFound || error.code == .changed else { throw error }
                result.emptied.append(tally.group)
                continue
            }
            var isHeld = try group.control.current() == .frozen
            for pin in frozen.coveredGroups where !isHeld {
                isHeld = try FreezerControl(Cgroup(pin, on: host)).current() == .frozen
            }
            let isAsked = try group.control.isRequested()
            let isPopulated = try group.control.isPopulated()
            guard isHeld || isAsked || !isPopulated else {
                throw Failure(
                    .refused,
                    "kill the group",
                    on: String(decoding: tally.group.path.bytes, as: UTF8.self),
                    because: "it is not frozen",
                    hint: leader.map { "quell freeze pid:\($0.pid)" }
                )
            }
            groups.append(group)
        }
        return groups
    }

    /// Who lives in the groups. Whose first thread has ended in them while the others stand elsewhere counts only when it
    /// was frozen with the session.
    private func pins(in groups: [HeldGroup], _ frozen: FreezeResult) throws(Failure) -> [ProcessPin] {
        let scanner = ProcessScanner(host)
        let headless = try Headless(in: groups.map(\.cgroup), on: host)
        let members = Set(frozen.members)
        var found = headless.any.sorted { $0.pid < $1.pid }
        for group in groups {
            do throws(Failure) {
                for pid in try group.cgroup.treeMembers().flatMap(\.pids) {
                    guard let stat = scanner.namedStat(of: pid), !stat.numbers.isDead else { continue }
                    guard !headless.any.contains(stat.pin) else { continue }
                    if !headless.all.contains(stat.pin) || members.contains(stat.pin) { found.append(stat.pin) }
                }
            } catch {
                guard error.code == .notFound else { throw error }
            }
        }
        return found
    }

    /// `cgroup.kill` signals the first thread of each process, which does nothing to a process whose first has ended.
    private func killHeadless(_ doomed: [ProcessPin], _ result: inout KillResult, _ apply: Apply) throws(Failure) {
        let scanner = ProcessScanner(host)
        for pin in doomed where scanner.stat(of: pin.pid)?.isHeadless == true {
            let effect = ContainmentEffect.signal(process: pin, number: SIGKILL)
            let host = self.host
            try perform(effect, &result, apply) { () throws(Failure) in try effect.perform(on: host) }
        }
    }

    /// Guests, and Quell itself, leave before anything dies. Who stood outside when the freeze was proven, and does not
    /// descend from the session, was moved in and is a guest too; who was born later is of the session, unless it is
    /// foreign by its parents: a session that somebody thaws for a moment must not free its children by forking them.
    ///
    /// Gives who stands outside and is of the session.
    private func spare(
        _ groups: [HeldGroup],
        _ frozen: FreezeResult,
        _ subject: Subject,
        _ result: inout KillResult,
        _ apply: Apply
    ) throws(Failure) -> [Stray] {
        var paths = ScanPaths()
        paths.held = groups.map(\.cgroup.pin)
        let scan = try ScanMaker(host).scan(paths, after: nil)
        let known = Set(frozen.members)
        var knowledge = Family.Knowledge()
        knowledge.leader = subject.pin.leader
        knowledge.responder = Responder.pids(on: host)
        knowledge.settled = known
        if let proven = frozen.times.provenTicks {
            let earlier = scan.processes.lazy.filter { $0.isInside && $0.startTicks < proven }.map(\.pin)
            knowledge.joined = Set(earlier).subtracting(known)
        }
        let family = Family(scan, knowledge)
        let scanner = ProcessScanner(host)
        for (process, reason) in family.guests {
            let lines = try ProcessDirectory.places(of: process.pin, isHeadless: process.isHeadless, on: host)
                .flatMap { $0 }
            guard
                let group = groups.first(where: { group in
                    lines.contains {
                        $0.hierarchy == group.cgroup.hierarchy.name && $0.path.isAtOrBelow(group.cgroup.path)
                    }
                }), let line = lines.first(where: { $0.hierarchy == group.cgroup.hierarchy.name })
            else { continue }
            let root = try Cgroup(BytePath("/"), in: group.cgroup.hierarchy)
            let from = try place(at: line.path, in: group.cgroup.hierarchy)
            let move = ContainmentEffect.move(process: process.pin, from: from, to: root.pin)
            let host = self.host
            do throws(Failure) {
                try perform(move, &result, apply) { () throws(Failure) in try move.performOnLiving(on: host) }
            } catch {
                // A guest that ends before it is moved needs no sparing, and must not spare the session either.
                guard error.isOfEndedProcess else { throw error }
                continue
            }
            let name = scanner.namedStat(of: process.pid)?.name ?? BytePath("")
            var guest = Guest(process: process.pin, name: name, reason: reason, isSpared: true)
            guest.doubt = knowledge.doubt(about: process.pin)
            result.spared.append(guest)
        }
        return outside(family, frozen)
    }

    /// Where a guest stood; inode 0, to which nothing is put back, when its path is longer than the kernel tells.
    private func place(at path: BytePath, in hierarchy: CgroupHierarchy) throws(Failure) -> CgroupPin {
        do throws(Failure) {
            return try Cgroup(path, in: hierarchy).pin
        } catch {
            guard error.code == .notFound else { throw error }
            return CgroupPin(hierarchy: hierarchy.name, path: path, inode: 0)
        }
    }

    /// Who is of the session and not in its groups: found now, or by the freeze, which could not hold them or let them run
    /// in doubt.
    private func outside(_ family: Family, _ frozen: FreezeResult) -> [Stray] {
        let scanner = ProcessScanner(host)
        var found = family.strays.map { process, marks in
            Stray(
                process: process.pin,
                name: scanner.namedStat(of: process.pid)?.name ?? BytePath(""),
                marks: Mark.allCases.filter(marks.contains),
                isHeld: false,
                reason: "it stands outside of the frozen groups"
            )
        }
        found += frozen.strays.filter { !$0.isHeld }
        found += frozen.guests.filter(\.isSpared).compactMap { guest in
            guest.doubt.map { Stray(process: guest.process, name: guest.name, marks: [], isHeld: false, reason: $0) }
        }
        var seen: Set<ProcessPin> = []
        return found.filter { seen.insert($0.process).inserted }
    }

    /// v1: everything gets SIGKILL while it is frozen, until there is nobody who has not: who has it pending forks no more.
    /// Then the group is thawed and all of it dies, however long that takes; who is moved in meanwhile gets the same.
    /// Covered groups are thawed so that what cgroup.kill has killed can die.
    private func releaseVersionOne(
        _ frozen: FreezeResult,
        _ groups: [HeldGroup],
        _ deadline: Deadline,
        _ result: inout KillResult,
        _ apply: Apply
    ) throws(Failure) {
        for pin in frozen.coveredGroups {
            let control: FreezerControl
            do throws(Failure) {
                control = try FreezerControl(Cgroup(pin, on: host))
                guard try control.isRequested() else { continue }
            } catch {
                if error.code != .notFound, error.code != .changed { result.failures.append(error) }
                continue
            }
            try perform(.thaw(group: pin), &result, apply) { () throws(Failure) in try control.thaw() }
        }
        for group in groups where !group.cgroup.hierarchy.isUnified {
            var signalled: Set<ProcessPin> = []
            repeat {
                while try signal(group, frozen, &signalled, &result, apply), !deadline.hasPassed { continue }
                let thaw = ContainmentEffect.thaw(group: group.cgroup.pin)
                try apply([thaw]) { () throws(Failure) in try group.control.thaw() }
                if !result.effects.contains(thaw) { result.effects.append(thaw) }
                if try group.control.waitUntilEmpty(until: Deadline(after: .milliseconds(200))) { break }
            } while !deadline.hasPassed
        }
    }

    /// Sends SIGKILL to everybody in the group who has not had it; gives whether there was anybody.
    private func signal(
        _ group: HeldGroup,
        _ frozen: FreezeResult,
        _ signalled: inout Set<ProcessPin>,
        _ result: inout KillResult,
        _ apply: Apply
    ) throws(Failure) -> Bool {
        let victims = try pins(in: [group], frozen).filter { !signalled.contains($0) }
        guard !victims.isEmpty else { return false }
        signalled.formUnion(victims)
        let effects = victims.map { ContainmentEffect.signal(process: $0, number: SIGKILL) }
        let host = self.host
        try apply(effects) { () throws(Failure) in
            for effect in effects { try effect.perform(on: host) }
        }
        result.effects += effects
        return true
    }

    private func perform(
        _ effect: ContainmentEffect,
        _ result: inout KillResult,
        _ apply: Apply,
        _ act: @escaping () throws(Failure) -> Void
    ) throws(Failure) {
        try apply([effect], act)
        result.effects.append(effect)
    }
}
