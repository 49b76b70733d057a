import Base
import Kernel
import Synchronization

/// What has to be known before a freeze, and no more: the groups, and who leads. Of thousands of processes their relations
/// are two thirds of what comes before the write, and they are looked at when everybody stands still.
extension SessionLook {
    /// From how many processes on it is quicker to ask in which order the kernel made them than when each began.
    private static let many = 8

    /// The session of cgroups that were named, with its leader alone among the members; `nil` where that takes a look at
    /// all of them. It is what ``session(of:pinned:)`` pins:
    ///
    /// - Every hierarchy that is open has the group, without groups below it, before and after the list, and all list the same
    ///   processes. Threads may stand elsewhere still: they are found by the scans after the write.
    /// - The leader is the oldest. A parent is older than its children, so the oldest has none inside; its parent is asked
    ///   for its group as well, because it may have stepped aside while the list was read.
    /// - Neither Quell nor a parent of it is inside, nor is the machine's first process or a thread of the kernel, and the
    ///   inventory knows no user of the session: those are never leaders, so that the leader would be another one.
    mutating func pinned(_ groups: [Cgroup]) -> Session? {
        guard host.unified != nil, groups.count == [host.unified, host.freezer].count(where: { $0 != nil }),
            agent?.uid == nil, let first = groups.first
        else { return nil }
        let found: (leader: Relative, others: [Int32])?
        do throws(Failure) {
            let pids = try SessionLook.listed(in: first)
            guard let pids, !pids.isEmpty, !holdsResponder(pids) else { return nil }
            let same = SameMembers(in: groups.dropFirst(), as: pids)
            let leader = same.differsAlready ? nil : oldest(of: pids)
            guard try same.holds(), let leader, !hasParent(leader, in: groups) else { return nil }
            for group in groups where try !group.isLeaf() { return nil }
            found = (leader, pids)
        } catch {
            // Whatever it is, the whole look meets it again and tells it.
            return nil
        }
        guard let found, !found.leader.isKernelThread, !SessionLook.contains(found.leader.parent, found.others),
            GVisorLookup(on: host, root: root).sandbox(holding: found.leader.pin.pid) == nil
        else { return nil }
        let leader = SessionMember(found.leader, .leader)
        return Session(
            locator: locator,
            pin: SessionPin(bootID: host.bootID, cgroups: groups.map(\.pin), leader: leader.pin),
            cgroups: groups.map { SessionCgroup(pin: $0.pin, isOwn: false) },
            leader: leader,
            members: [leader],
            guests: [],
            owner: nil,
            agent: agent,
            failures: failures
        )
    }

    /// The processes of a group, ascending; `nil` when there are groups below it.
    fileprivate static func listed(in group: Cgroup) throws(Failure) -> [Int32]? {
        guard try group.isLeaf() else { return nil }
        let pids = try group.processes()
        // The first hierarchy lists them as they came; who was made in order is so already.
        return zip(pids, pids.dropFirst()).allSatisfy { $0 < $1 } ? pids : pids.sorted()
    }

    /// Whether Quell, a parent of it or somebody whom it cannot see stands among them. 0 is who is in another pid namespace.
    private func holdsResponder(_ pids: [Int32]) -> Bool {
        guard host.procWindow != .recorded else { return false }
        let spared = [0, 1] + scanner.lineage(of: ProcessScanner.ownPid)
        return spared.contains { SessionLook.contains($0, pids) }
    }

    /// Whether the parent of a process stands in one of the groups or below it: then it leads, wherever it was a moment ago.
    private func hasParent(_ process: Relative, in groups: [Cgroup]) -> Bool {
        guard process.parent > 1, let lines = scanner.cgroups(of: process.parent) else { return false }
        return groups.contains { group in
            lines.contains { $0.hierarchy == group.hierarchy.name && $0.path.isAtOrBelow(group.path) }
        }
    }

    /// The process that began first, of several in one tick that with the lowest pid. Those that have ended are left out.
    private func oldest(of pids: [Int32]) -> Relative? {
        if pids.count >= SessionLook.many, let first = firstMade(of: pids) { return first }
        let relatives = ProcessReaders(host).read(pids) { scanner, pid in scanner.namedStat(of: pid).map(Relative.init)
        }
        guard !relatives.contains(where: \.isKernelThread) else { return nil }
        return relatives.min { ($0.pin.startTicks, $0.pin.pid) < ($1.pin.startTicks, $1.pin.pid) }
    }

    /// The first of many by the numbers that the kernel gave them when it made them (pidfs, Linux 6.9), which takes a fifth
    /// of reading the stat of each. That these numbers tell the order is nowhere promised, so they count only where they
    /// say the same as the pids, stand between those of the machine's first process and of Quell, and the first began no
    /// later than those in the middle and at the end; else `nil`, as when pids began anew or somebody chose them, and when
    /// one has no number though it has not ended.
    private func firstMade(of pids: [Int32]) -> Relative? {
        guard host.procWindow == .own else { return nil }
        let made = ProcessReaders(host).read(pids) { _, pid -> (pid: Int32, number: UInt64)? in
            let number = ProcessScanner.number(of: pid)
            return number == 0 ? nil : (pid, number)
        }
        guard !made.contains(where: { $0.number == ProcessScanner.unknownNumber }) else { return nil }
        guard let first = made.first, let last = made.last, first.number > ProcessScanner.number(of: 1),
            last.number < ProcessScanner.number(of: ProcessScanner.ownPid),
            zip(made, made.dropFirst()).allSatisfy({ $0.number < $1.number })
        else { return nil }
        guard let leader = scanner.namedStat(of: first.pid).map(Relative.init) else { return nil }
        for other in [made[made.count / 2], last] {
            if let began = scanner.stat(of: other.pid)?.startTicks, began < leader.pin.startTicks { return nil }
        }
        return leader
    }

    private static func contains(_ pid: Int32, _ sorted: [Int32]) -> Bool {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < pid { low = middle + 1 } else { high = middle }
        }
        return low < sorted.count && sorted[low] == pid
    }
}

/// Whether other groups list the same processes: for many of them asked on a thread of its own meanwhile.
private struct SameMembers: ~Copyable {
    private let answer: Answer
    private let thread: OwnedThread?

    /// No `Result`: its failure would make the runtime search its conformances before a freeze.
    private final class Answer: Sendable {
        let isSame = Mutex(true)
        let failure = Mutex<Failure?>(nil)

        func ask(_ groups: ArraySlice<Cgroup>, _ pids: [Int32]) {
            do throws(Failure) {
                for group in groups where try SessionLook.listed(in: group) != pids { isSame.withLock { $0 = false } }
            } catch {
                failure.withLock { $0 = error }
            }
        }
    }

    init(in groups: ArraySlice<Cgroup>, as pids: [Int32]) {
        let answer = Answer()
        self.answer = answer
        var started: OwnedThread?
        if pids.count >= ProcessReaders.worthwhile, !groups.isEmpty {
            do throws(Failure) {
                started = try OwnedThread {
                    OwnedThread.raisePriority()
                    answer.ask(groups, pids)
                }
            } catch {
                // The host allows no more threads: it takes longer.
                answer.ask(groups, pids)
            }
        } else {
            answer.ask(groups, pids)
        }
        thread = started
    }

    /// Whether it is known by now that they do not.
    var differsAlready: Bool { thread == nil && !answer.isSame.withLock { $0 } }

    consuming func holds() throws(Failure) -> Bool {
        if let thread { thread.join() }
        if let failure = answer.failure.withLock({ $0 }) { throw failure }
        return answer.isSame.withLock { $0 }
    }
}
