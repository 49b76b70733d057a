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

/// What a kill did.
public struct KillResult: Hashable, Sendable, Codable {
    /// How many processes were inside when it began, guests not counted.
    public var processes = 0
    /// Groups in which nothing is left.
    public var emptied: [CgroupPin] = []
    /// Processes that are still there: stuck in the kernel.
    public var remaining: [ProcessPin] = []
    /// Members that were moved aside instead (RT11).
    public var spared: [Guest] = []
    /// Processes that came up afterwards in the session's place.
    public var successors: [Successor] = []
    /// The effects that were done, in order.
    public var effects: [ContainmentEffect] = []
    /// What failed.
    public var failures: [Failure] = []

    /// Starts with nothing done.
    public init() {}

    /// Whether the session is gone and nothing came after it.
    public var isComplete: Bool { remaining.isEmpty && successors.isEmpty && failures.isEmpty }
}

/// Something that came up in the place of a killed session.
public struct Successor: Hashable, Sendable, Codable {
    /// Which process.
    public let process: ProcessPin
    /// Its name as bytes.
    public let name: BytePath
    /// Why it is taken for one.
    public let reason: String
}

/// Kills a frozen session. A session that is not frozen is refused: a loop of signals does not win against a fork storm.
public struct Killer {
    private let host: Host

    /// Works on this host.
    public init(_ host: Host) {
        self.host = host
    }

    /// Kills everything in the groups of a freeze, guests excepted, and waits until they are empty. v2 groups by
    /// cgroup.kill; v1 groups by SIGKILL to all and then thawing, because v1-frozen tasks do not die before.
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
        let groups = try open(frozen, &result)
        let watch = try SuccessorWatch(subject, on: host)
        try spare(groups, frozen, subject, &result, apply)
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
            result.successors = try watch.look(until: end, not: doomed)
        } catch {
            result.failures.append(error)
        }
        return result
    }

    private func open(_ frozen: FreezeResult, _ result: inout KillResult) throws(Failure) -> [HeldGroup] {
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
                    hint: "quell freeze"
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

    /// Guests, and Quell itself, leave before anything dies. Who was not there when the freeze was proven, and does not
    /// descend from the session, joined late and is a guest too.
    private func spare(
        _ groups: [HeldGroup],
        _ frozen: FreezeResult,
        _ subject: Subject,
        _ result: inout KillResult,
        _ apply: Apply
    ) throws(Failure) {
        var paths = ScanPaths()
        paths.held = groups.map(\.cgroup.pin)
        let scan = try ScanMaker(host).scan(paths, after: nil)
        var knowledge = Family.Knowledge()
        knowledge.leader = subject.pin.leader
        knowledge.responder = Responder.pids(on: host)
        knowledge.settled = Set(frozen.members)
        let family = Family(scan, knowledge)
        let known = Set(frozen.members)
        var guests = family.guests.map { ($0.process, $0.reason) }
        for member in family.members where !known.isEmpty && !known.contains(member.pin) {
            guard let parent = scan.find(member.parent), known.contains(parent.pin) else {
                guests.append((member, "it joined after the freeze"))
                continue
            }
        }
        let scanner = ProcessScanner(host)
        for (process, reason) in guests {
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
            // A guest that ends before it is moved needs no sparing, and must not spare the session either.
            try perform(move, &result, apply) { () throws(Failure) in try move.perform(on: host) }
            let name = scanner.namedStat(of: process.pid)?.name ?? BytePath("")
            result.spared.append(Guest(process: process.pin, name: name, reason: reason, isSpared: true))
        }
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

    /// v1: everything gets SIGKILL while it is frozen, then the group is thawed and all of it dies at once; new ones that
    /// slipped in meanwhile get the same, until the group is empty or the deadline passes. Covered groups are thawed so
    /// that what cgroup.kill has killed can die.
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
            repeat {
                let victims = try pins(in: [group], frozen)
                if victims.isEmpty { break }
                let effects = victims.map { ContainmentEffect.signal(process: $0, number: SIGKILL) }
                let host = self.host
                try apply(effects + [.thaw(group: group.cgroup.pin)]) { () throws(Failure) in
                    for effect in effects { try effect.perform(on: host) }
                    try group.control.thaw()
                }
                result.effects += effects
                if try group.control.waitUntilEmpty(until: Deadline(after: .milliseconds(200))) { break }
                try apply([.freeze(group: group.cgroup.pin, requestedBefore: false)]) { () throws(Failure) in
                    try group.control.freeze()
                }
                _ = try group.control.wait(for: .frozen, until: Deadline(after: .milliseconds(500)))
            } while !deadline.hasPassed
        }
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
