import Base
import Glibc
import Kernel

extension SessionLook {
    /// The topmost cgroups that members stand in, in every hierarchy that is open.
    ///
    /// Reading /proc/PID/cgroup takes the kernel's lock on all cgroups, behind which a session that moves itself without
    /// end makes every reader wait, and this stands before the freeze (RT7). So the leader is asked first, the others as
    /// long as `patience` lasts; who was not asked is held by the group that was named, and told.
    mutating func standings(
        of kin: [Int32: Lineage],
        led leader: Relative? = nil,
        for patience: Duration = .seconds(5)
    ) -> [Cgroup] {
        // A list: a session stands in a few places, and a set of them costs the runtime more to set up than to search.
        var seen: [CgroupLine] = []
        var groups: [Cgroup] = []
        let deadline = Deadline(after: patience)
        let pids = kin.keys.sorted { ($0 == leader?.pin.pid ? 0 : 1, $0) < ($1 == leader?.pin.pid ? 0 : 1, $1) }
        for (index, pid) in pids.enumerated() {
            if deadline.hasPassed {
                tellUnasked(pids.count - index)
                break
            }
            for line in scanner.cgroups(of: pid) ?? [] where !seen.contains(line) {
                seen.append(line)
                if let group = open(line, holding: pid) { groups.append(group) }
            }
        }
        return SessionLook.topmost(groups)
    }

    private mutating func tellUnasked(_ count: Int) {
        failures.append(
            Failure(
                .timedOut,
                "see where \(count) members stand in other hierarchies",
                on: "\(locator.argument)",
                because: "the kernel did not answer in time: somebody moves processes between cgroups without end"
            )
        )
    }

    /// Groups that no other one of the list stands above.
    static func topmost(_ groups: [Cgroup]) -> [Cgroup] {
        var unique: [Cgroup] = []
        for group in groups where !unique.contains(where: { $0.pin == group.pin }) { unique.append(group) }
        return unique.filter { group in
            !unique.contains { other in
                other.hierarchy.name == group.hierarchy.name && other.path != group.path
                    && group.path.isAtOrBelow(other.path)
            }
        }
        .sorted { ($0.hierarchy.name, $0.path) < ($1.hierarchy.name, $1.path) }
    }

    /// The domain cgroup of a line of /proc/PID/cgroup, by inode. The kernel appends ` (deleted)` to the path of a
    /// removed group; a group that is really named so is believed only when it holds the process (RT35).
    private mutating func open(_ line: CgroupLine, holding pid: Int32) -> Cgroup? {
        guard let hierarchy = host.hierarchy(named: line.hierarchy) else { return nil }
        do throws(Failure) {
            let group = try Cgroup(line.path, in: hierarchy)
            if line.path.bytes.suffix(10).elementsEqual(" (deleted)".utf8) {
                guard try group.processes().contains(pid) else { return nil }
            }
            return try group.domain()
        } catch {
            keep(error)
            return nil
        }
    }

    /// Puts the parts together: names the cgroups beyond those that were named, and tells which are the session's own.
    mutating func assemble(
        leader: Relative?,
        kin: [Int32: Lineage],
        family: Family,
        named: [Cgroup],
        inside: Set<Int32>
    ) -> Session {
        let members = kin.compactMap { pid, lineage in family.relatives[pid].map { SessionMember($0, lineage) } }
        let guests = inside.subtracting(kin.keys).compactMap { family.relatives[$0] }.map { SessionMember($0, .none) }
        var cgroups = named.map { SessionCgroup(pin: $0.pin, isOwn: guests.isEmpty) }
        for group in otherStandings(of: kin, led: leader, in: family, named: named) {
            cgroups.append(SessionCgroup(pin: group.pin, isOwn: holdsOnly(kin, group)))
        }
        // A cgroup that was named is the session even with a guest in it, or moving one in would unpin it; guests are
        // moved aside (RT11). Others are pinned only when nobody else stands there.
        let pin = SessionPin(
            bootID: host.bootID,
            cgroups: named.map(\.pin) + cgroups.dropFirst(named.count).filter(\.isOwn).map(\.pin),
            leader: leader?.pin
        )
        return Session(
            locator: locator,
            pin: pin,
            cgroups: cgroups,
            leader: leader.map { SessionMember($0, .leader) },
            members: members.sorted { $0.pin.pid < $1.pin.pid },
            guests: guests.sorted { $0.pin.pid < $1.pin.pid },
            owner: leader.flatMap { realUID(of: $0.pin) },
            runtime: sandbox == nil ? .process : .gvisor,
            sandbox: sandbox,
            agent: agent,
            failures: failures
        )
    }

    /// Where members stand beside what was named. Those that every hierarchy lists in a named group, or where none was
    /// named in its root, stand nowhere else, which saves a read for each of them, and the kernel's lock; but a v1 group
    /// lists a process, too, of which only one thread stands there (RT5), so those with more threads are looked at.
    private mutating func otherStandings(
        of kin: [Int32: Lineage],
        led leader: Relative?,
        in family: Family,
        named: [Cgroup]
    ) -> [Cgroup] {
        let open = [host.unified, host.freezer].compactMap { $0?.name }
        if open.count == 1, !named.isEmpty { return [] }
        var elsewhere = kin
        for pid in accountedFor(named) where family.relatives[pid]?.threads == 1 { elsewhere[pid] = nil }
        guard !elsewhere.isEmpty else { return [] }
        return standings(of: elsewhere, led: leader, for: .milliseconds(20)).filter { group in
            !named.contains { group.hierarchy.name == $0.hierarchy.name && group.path.isAtOrBelow($0.path) }
        }
    }

    /// Whom each open hierarchy lists in a named group, or where none was named in its root.
    private mutating func accountedFor(_ named: [Cgroup]) -> Set<Int32> {
        guard !named.isEmpty else { return [] }
        var listed = listedEverywhere
        for hierarchy in [host.unified, host.freezer].compactMap({ $0 })
        where !named.contains(where: { $0.hierarchy.name == hierarchy.name }) {
            // The root lists the whole machine: for few it is quicker to ask each.
            guard listed.count >= ProcessReaders.worthwhile else { return [] }
            do throws(Failure) {
                listed.formIntersection(try Cgroup(BytePath("/"), in: hierarchy).processes())
            } catch {
                keep(error)
                return []
            }
        }
        return listed
    }

    private mutating func holdsOnly(_ kin: [Int32: Lineage], _ group: Cgroup) -> Bool {
        guard !group.isRoot else { return false }
        do throws(Failure) {
            return try members(of: group).allSatisfy { kin[$0] != nil } && !isCutShort
        } catch {
            keep(error)
            return false
        }
    }
}

extension SessionMember {
    init(_ relative: Relative, _ lineage: Lineage) {
        self.init(
            pin: relative.pin,
            parent: relative.parent,
            name: relative.name,
            state: relative.state,
            lineage: lineage
        )
    }
}

extension Family {
    /// The process of a pin, when it is in the table and still the same.
    func living(_ pin: ProcessPin) -> Relative? {
        guard let relative = relatives[pin.pid], relative.pin == pin else { return nil }
        return relative
    }
}
