internal import Base
internal import Glibc
internal import Kernel

/// Telling what is true when the work is done.
extension FreezeRun {
    mutating func conclude(_ telling: (FreezeResult) -> Void) -> FreezeResult {
        count()
        readTime()
        tellStrays()
        result.members = (lastFamily?.members ?? []).map(\.pin)
        // Who was spared at first, and then proved to belong to the session or came back into it, is held, and no guest.
        let members = Set(result.members)
        result.guests = guests.values.filter { strays[$0.process] == nil && !members.contains($0.process) }
            .sorted { $0.process.pid < $1.process.pid }
        holdSupervisors()
        if let quarantine = result.quarantine, let moved = movedWithSockets(quarantine) {
            result.cut?.notReached.append(moved)
        }
        result.failures += looks.failures
        result.word = word()
        if result.times.frozen == nil {
            result.times.proven = nil
            result.times.provenTicks = nil
        }
        telling(result)
        lookAround()
        return result
    }

    /// Right after everything is frozen: what could bring the session back is found and, unless told otherwise, held.
    private mutating func holdSupervisors() {
        let found = findSupervisors(of: lastFamily?.members ?? [])
        result.supervisors = found.supervisors
        result.notes += found.notes
        guard policy.holdRestart, !found.supervisors.isEmpty else { return }
        let hold = SupervisorHold(host, patienceMilliseconds: policy.patienceMilliseconds).hold(
            found,
            root: policy.root,
            apply
        )
        result.supervisors = hold.supervisors
        result.effects += hold.effects
    }

    /// Looks for what could start these processes again; changes nothing.
    func findSupervisors(of members: [ScannedProcess]) -> SupervisorSearch.Findings {
        let inside = Set(members.map(\.pid))
        let leaders = members.filter { $0.pin == subject.pin.leader }
        let parents = (leaders + members).map(\.parent).filter { !inside.contains($0) }
        let search = SupervisorSearch(root: policy.root, host: host, responder: responder)
        return search.find(paths: sessionLines.map(\.path), parents: parents)
    }

    private mutating func count() {
        for group in held + [quarantine].compactMap({ $0 }) {
            var tally = FrozenGroup(
                group: group.cgroup.pin,
                isFrozen: group.isFrozen,
                requestedBefore: group.requestedBefore,
                processes: 0,
                threads: 0
            )
            do throws(Failure) {
                let proof = try ThreadProof(covered: result.coveredGroups, on: host)
                tally.isFrozen = try proof.isFrozen(group.cgroup)
                var listed: [Int32] = []
                try group.cgroup.forEachInTree { below throws(Failure) in
                    if try below.type() != .threaded { listed += try below.memberPids() }
                    tally.threads += try below.threadCount()
                }
                tally.processes = listed.count + (try headless(in: group.cgroup, beyond: Set(listed)))
                if !tally.isFrozen { result.stuck += try proof.stuck(in: group.cgroup) }
                tally.cpuMicroseconds = try time(of: group.cgroup)
            } catch {
                tally.isFrozen = false
                result.failures.append(error)
            }
            result.groups.append(tally)
            if tally.isFrozen {
                result.processes += tally.processes
                result.threads += tally.threads
            }
        }
        if result.groups.contains(where: { !$0.isFrozen }) { result.times.frozen = nil }
        if result.processes == 0, result.stuck.isEmpty { result.notes.append("there is no process in it") }
    }

    /// By how many processes the list of a group is too short, or too long when negative: it has those whose first thread
    /// has ended where that ended, and not where they are.
    private func headless(in group: Cgroup, beyond listed: Set<Int32>) throws(Failure) -> Int {
        let candidates = lastScan.processes.filter(\.isHeadless).map(\.pin)
        guard !candidates.isEmpty else { return 0 }
        return try Headless(candidates, in: [group], on: host).correct(listed).count - listed.count
    }

    /// What the first group used until now: later than the kernel's word, because the last thread still has to leave the
    /// processor when it is given.
    private mutating func readTime() {
        guard let first = (held.first ?? quarantine)?.cgroup else { return }
        do throws(Failure) {
            result.cpuMicroseconds = try time(of: first)
        } catch {
            result.notes.append("nothing will tell whether it runs meanwhile: \(error)")
        }
    }

    /// The CPU time of a group. Strays that were stopped were continued right before, which wakes them once more inside the
    /// kernel: then it is what two readings agree on.
    private func time(of group: Cgroup) throws(Failure) -> UInt64? {
        var time = try group.cpuMicroseconds()
        let deadline = Deadline(after: .milliseconds(200))
        while !stopped.isEmpty, !deadline.hasPassed {
            usleep(5000)
            let now = try group.cpuMicroseconds()
            if now == time { break }
            time = now
        }
        return time
    }

    private mutating func tellStrays() {
        let isOwnGroupless = held.isEmpty
        // A sandbox that was moved out of a v1 group of its own has that group's mark, a gofer a pid namespace of its own.
        var plain: Set<Mark> = [.lineage, .kernelSession]
        if sandbox != nil { plain.formUnion([.hierarchy, .pidNamespace]) }
        var ended = 0
        for (pin, marks) in strays.sorted(by: { $0.key.pid < $1.key.pid }) {
            // Without groups of its own the session's plain descendants are its members, not strays.
            if isOwnGroupless, pin == subject.pin.leader || marks.isSubset(of: plain) && marks.contains(.lineage) {
                if unheld[pin] == nil { continue }
            }
            let isInside = lastScan.find(pin)?.isInside ?? false
            // Who has ended needs no holding.
            guard lastScan.find(pin) != nil else {
                ended += 1
                continue
            }
            result.strays.append(
                Stray(
                    process: pin,
                    name: scans.stat(of: pin)?.name ?? BytePath(""),
                    marks: Mark.allCases.filter(marks.contains),
                    isHeld: isInside,
                    reason: isInside ? nil : unheld[pin] ?? "it got away"
                )
            )
        }
        if ended > 0 { result.notes.append("\(ended) strays ended before they were held") }
        listWeak()
    }

    /// Outsiders with medium or weak marks only: told, never acted on.
    mutating func listWeak() {
        guard let leader = subject.pin.leader, let first = lastScan.find(leader) else { return }
        var weak = Looks()
        let shared = sharedNamespaces(of: leader, &weak)
        let adopters = Set(lastScan.ancestors(of: leader.pid)).union([1])
        let user = user(of: leader, &weak)
        let taken = Set(strays.keys)
        for outsider in lastScan.processes
        where !outsider.isInside && !taken.contains(outsider.pin) && !responder.contains(outsider.pid)
            && outsider.pid > 1 && guests[outsider.pin] == nil
        {
            var marks: [Mark] = []
            for (kind, mark, inode) in shared where namespace(kind, of: outsider.pin, &weak) == inode {
                marks.append(mark)
            }
            if adopters.contains(outsider.parent), outsider.startTicks >= first.startTicks, let user,
                self.user(of: outsider.pin, &weak) == user
            {
                marks.append(.orphan)
            }
            guard !marks.isEmpty else { continue }
            let name = scans.stat(of: outsider.pin)?.name ?? BytePath("")
            result.listed.append(Stray(process: outsider.pin, name: name, marks: marks, isHeld: false, reason: nil))
        }
        for line in weak.lines { result.notes.append("the list of those who may belong to it is not whole: \(line)") }
    }

    /// The namespaces of the leader that are not Quell's own.
    private func sharedNamespaces(of leader: ProcessPin, _ looks: inout Looks) -> [(NamespaceKind, Mark, UInt64)] {
        let host = self.host
        let kinds: [(NamespaceKind, Mark)] = [(.mount, .mountNamespace), (.network, .networkNamespace)]
        var found: [(NamespaceKind, Mark, UInt64)] = []
        for (kind, mark) in kinds {
            let ours = looks.see { () throws(Failure) in
                try ProcessDirectory(Responder.ownPid, on: host).namespace(kind)
            }
            guard let theirs = namespace(kind, of: leader, &looks), let ours, theirs != ours else { continue }
            found.append((kind, mark, theirs))
        }
        return found
    }

    private func namespace(_ kind: NamespaceKind, of pin: ProcessPin, _ looks: inout Looks) -> UInt64? {
        let host = self.host
        return looks.see { () throws(Failure) in try ProcessDirectory(pin, on: host).namespace(kind) } ?? nil
    }

    private func user(of pin: ProcessPin, _ looks: inout Looks) -> UInt32? {
        let host = self.host
        return looks.see { () throws(Failure) in try ProcessDirectory(pin, on: host).status().uids.first } ?? nil
    }

    private func movedWithSockets(_ quarantine: CgroupPin) -> String? {
        let moved = result.effects.filter { if case .move(_, _, let to) = $0 { to == quarantine } else { false } }
        guard !moved.isEmpty else { return nil }
        return "sockets that \(moved.count) moved processes had opened before they were moved"
    }

    private func word() -> FreezeWord {
        let frozen = result.groups.filter(\.isFrozen)
        if result.groups.isEmpty { return .failed }
        let isRunning = result.strays.contains { !$0.isHeld && lastScan.find($0.process) != nil }
        let isInDoubt = result.guests.contains { guest in
            guest.isSpared && guest.doubt != nil && lastScan.find(guest.process).map { !$0.isInside } ?? false
        }
        if isRunning || isInDoubt || !result.scansAgreed || looks.hasFailed { return .partial }
        if frozen.count < result.groups.count || !result.stuck.isEmpty { return .unconfirmed }
        if result.processes == 0 { return .partial }
        return result.supervisors.allSatisfy(\.isHeld) ? .confirmed : .partial
    }
}
