internal import Base
internal import Kernel

/// Telling what is true when the work is done.
extension FreezeRun {
    mutating func conclude() -> FreezeResult {
        count()
        tellStrays()
        result.guests = guests.values.sorted { $0.process.pid < $1.process.pid }
        result.members = (lastFamily?.members ?? []).map(\.pin)
        let paths = sessionLines.map(\.path)
        result.supervisors = Supervisors.find(
            paths: paths,
            leader: subject.pin.leader,
            responder: responder,
            root: policy.root,
            on: host
        )
        if let quarantine = result.quarantine, let moved = movedWithSockets(quarantine) {
            result.cut?.notReached.append(moved)
        }
        result.word = word()
        if result.times.frozen == nil { result.times.proven = nil }
        return result
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
                try group.cgroup.forEachInTree { below throws(Failure) in
                    if try below.type() != .threaded { tally.processes += try below.memberPids().count }
                    tally.threads += try below.threadCount()
                }
                if !tally.isFrozen { result.stuck += try proof.stuck(in: group.cgroup) }
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

    private mutating func tellStrays() {
        let isOwnGroupless = held.isEmpty
        var ended = 0
        for (pin, marks) in strays.sorted(by: { $0.key.pid < $1.key.pid }) {
            // Without groups of its own the session's plain descendants are its members, not strays.
            if isOwnGroupless, marks == [.lineage] || pin == subject.pin.leader || marks == [.lineage, .kernelSession] {
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
    private mutating func listWeak() {
        guard let leader = subject.pin.leader, let first = lastScan.find(leader),
            let process = try? ProcessDirectory(leader, on: host)
        else { return }
        let own = try? ProcessDirectory(Responder.ownPid, on: host)
        let kinds: [(NamespaceKind, Mark)] = [(.mount, .mountNamespace), (.network, .networkNamespace)]
        var inodes: [(NamespaceKind, Mark, UInt64)] = []
        for (kind, mark) in kinds {
            guard let theirs = try? process.namespace(kind), let ours = try? own?.namespace(kind), theirs != ours else {
                continue
            }
            inodes.append((kind, mark, theirs))
        }
        let adopters = Set(lastScan.ancestors(of: leader.pid)).union([1])
        let users = try? process.status().uids.first
        let taken = Set(strays.keys)
        for outsider in lastScan.processes
        where !outsider.isInside && !taken.contains(outsider.pin) && !responder.contains(outsider.pid)
            && outsider.pid > 1
        {
            let couldBeOrphan = adopters.contains(outsider.parent) && outsider.startTicks >= first.startTicks
            guard couldBeOrphan || !inodes.isEmpty, guests[outsider.pin] == nil,
                let other = try? ProcessDirectory(outsider.pin, on: host)
            else { continue }
            var marks = inodes.filter { kind, _, inode in (try? other.namespace(kind)) == inode }.map(\.1)
            if couldBeOrphan, let users, (try? other.status().uids.first) == users { marks.append(.orphan) }
            guard !marks.isEmpty else { continue }
            let name = scans.stat(of: outsider.pin)?.name ?? BytePath("")
            result.listed.append(Stray(process: outsider.pin, name: name, marks: marks, isHeld: false, reason: nil))
        }
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
        if isRunning || !result.scansAgreed { return .partial }
        if frozen.count < result.groups.count || !result.stuck.isEmpty { return .unconfirmed }
        if result.processes == 0 { return .partial }
        return result.supervisors.isEmpty ? .confirmed : .partial
    }
}
