internal import Base
internal import Kernel

/// Looking for what belongs to the session outside its groups, and holding it, until two scans agree.
extension FreezeRun {
    /// Two scans count only when the kernel had said frozen for every group before the first of them: a task that is still
    /// on its way to the trap may fork, or finish a move of its own out of the group. Groups that do not freeze within the
    /// patience are told, and the scans count without them.
    mutating func hunt() throws(Failure) {
        let deadline = Deadline(after: .milliseconds(policy.huntMilliseconds))
        var patience = Deadline(after: .milliseconds(policy.patienceMilliseconds))
        var before: [ProcessPin]?
        var isQuiet = false
        try takeUpStrays()
        repeat {
            let isStill = try standStill(waiting: isQuiet, until: patience) || patience.hasPassed
            let family = try look()
            let spared = try spare(family.guests)
            let loose = family.strays.filter { unheld[$0.process.pin] == nil }
            isQuiet = loose.isEmpty && spared == 0
            guard isQuiet else {
                before = nil
                try hold(loose)
                patience = Deadline(after: .milliseconds(policy.patienceMilliseconds))
                continue
            }
            let now = family.members.map(\.pin)
            if isStill, now == before {
                result.scansAgreed = true
                break
            }
            before = isStill ? now : nil
        } while !deadline.hasPassed
        if result.scansAgreed {
            recording()
            result.times.proven = Instant.now()
            result.times.provenTicks = host.ticksNow()
        }
        try holdThreadsElsewhere()
        try continueStopped()
    }

    /// Whether the kernel says frozen for every group; waits for it a moment, or not at all.
    private mutating func standStill(waiting: Bool, until patience: Deadline) throws(Failure) -> Bool {
        let moment = Deadline(after: waiting ? .milliseconds(50) : .zero)
        let deadline = moment.remaining < patience.remaining ? moment : patience
        var all = true
        for index in held.indices where !held[index].isFrozen {
            held[index].isFrozen = try awaitFrozen(held[index], until: deadline)
            all = all && held[index].isFrozen
        }
        if var made = quarantine, !made.isFrozen {
            made.isFrozen = try awaitFrozen(made, until: deadline)
            quarantine = made
            all = all && made.isFrozen
        }
        if all, result.times.frozen == nil { result.times.frozen = Instant.now() }
        return all
    }

    /// Who was held before is found again, with the marks that it has now; whatever else, it stays held.
    private mutating func takeUpStrays() throws(Failure) {
        for pin in earlier.spared where guests[pin] == nil {
            guard let name = scans.stat(of: pin)?.name else { continue }
            var guest = Guest(process: pin, name: name, reason: "it was moved aside before", isSpared: true)
            guest.doubt = knowledge.doubt(about: pin)
            guests[pin] = guest
        }
        guard let target = quarantine?.cgroup.pin, !earlier.held.isEmpty else { return }
        let family = try look(besides: target)
        for stray in family.strays where earlier.held.contains(stray.process.pin) {
            strays[stray.process.pin] = stray.marks
        }
        for pin in earlier.held where lastScan.find(pin) != nil {
            if strays[pin] == nil { strays[pin] = [.lineage] }
            knowledge.settled.insert(pin)
        }
    }

    /// `left` is a group whose members are looked at as if they stood outside.
    mutating func look(besides left: CgroupPin? = nil) throws(Failure) -> Family {
        var paths = ScanPaths()
        paths.held = (held + [quarantine].compactMap { $0 }).map(\.cgroup.pin).filter { $0 != left }
        paths.session = sessionLines
        lastScan = try scans.scan(paths, after: result.scans == 0 ? nil : lastScan)
        result.scans += 1
        readUsers()
        try readVersionOneMembers()
        let family = Family(lastScan, knowledge)
        lastFamily = family
        return family
    }

    /// Which processes outside run as the session's own user. Every id counts: real, effective, saved, filesystem.
    private mutating func readUsers() {
        guard let user = subject.dedicatedUser else { return }
        for process in lastScan.processes where !process.isInside && !knowledge.dedicated.contains(process.pin) {
            let host = self.host
            let uids = looks.see { () throws(Failure) in try ProcessDirectory(process.pin, on: host).status().uids }
            guard let uids, uids.contains(user) else { continue }
            knowledge.dedicated.insert(process.pin)
        }
    }

    /// A v1 group lists a process of which only one thread stands there, while the process's own file names another group
    /// (RT5).
    private mutating func readVersionOneMembers() throws(Failure) {
        for group in covered + held where !group.cgroup.hierarchy.isUnified {
            for pid in try group.cgroup.treeMembers().flatMap(\.pids) {
                guard let process = lastScan.find(pid), !process.isInside, !responder.contains(pid) else { continue }
                knowledge.settled.insert(process.pin)
            }
        }
    }

    private mutating func hold(
        _ loose: [(process: ScannedProcess, marks: Set<Mark>)]
    ) throws(Failure) {
        guard let target = quarantineOrReason(for: loose) else { return }
        var moves: [(process: ProcessPin, effect: ContainmentEffect)] = []
        for (process, marks) in loose {
            strays[process.pin, default: []].formUnion(marks)
            guard let origin = origin(of: process, in: target.hierarchy) else { continue }
            knowledge.settled.insert(process.pin)
            if origin == target.pin { continue }
            moves.append((process.pin, .move(process: process.pin, from: origin, to: target.pin)))
        }
        guard !moves.isEmpty else { return }
        quarantine?.isFrozen = false
        if held.isEmpty { result.times.frozen = nil }
        try stopIfStorming(moves.map(\.process))
        let host = self.host
        let missed = try performEach(moves) { pin throws(Failure) in try target.adopt(pin, on: host) }
        for (pin, failure) in missed where failure.code != .notFound && failure.code != .changed {
            unheld[pin] = failure.reason
        }
    }

    /// The quarantine; when there can be none, the strays are told as not held, and the freeze of the rest stands.
    private mutating func quarantineOrReason(for loose: [(process: ScannedProcess, marks: Set<Mark>)]) -> Cgroup? {
        if let quarantine { return quarantine.cgroup }
        do throws(Failure) {
            try makeQuarantine()
        } catch {
            for (process, marks) in loose {
                strays[process.pin, default: []].formUnion(marks)
                unheld[process.pin] = error.reason
            }
        }
        return quarantine?.cgroup
    }

    /// Where a process stands in a hierarchy, as a pin; `nil` when it is gone. A group that cannot be opened (it was
    /// removed) is pinned with inode 0, which nothing can be put back to.
    private mutating func origin(of process: ScannedProcess, in hierarchy: CgroupHierarchy) -> CgroupPin? {
        let host = self.host
        let places = looks.see { () throws(Failure) in
            try ProcessDirectory(process.pin, on: host).places(isHeadless: process.isHeadless)
        }
        guard let lines = places?.first, let path = lines.first(where: { $0.hierarchy == hierarchy.name })?.path
        else { return nil }
        if let known = origins[path] { return known }
        let seen = looks.see { () throws(Failure) in try Cgroup(path, in: hierarchy).pin }
        let found = seen ?? CgroupPin(hierarchy: hierarchy.name, path: path, inode: 0)
        origins[path] = found
        return found
    }

    /// Makes Quell's own group: random name, at the root, owned by root; frozen while it is empty, cut while it is empty.
    mutating func makeQuarantine() throws(Failure) {
        let group: Cgroup
        if let standing = try takeUp(earlier.quarantine) { group = standing } else { group = try makeGroup() }
        result.quarantine = group.pin
        let made = try HeldGroup(group)
        try perform([.freeze(group: group.pin, requestedBefore: false)]) { () throws(Failure) in
            try made.control.freeze()
        }
        quarantine = made
        guard policy.cut else { return }
        guard group.hierarchy.isUnified else {
            result.cut = result.cut ?? CutResult()
            result.cut?.notReached.append("\(group.path): a v1 group cannot be cut")
            return
        }
        result.cut = result.cut ?? CutResult()
        do throws(Failure) {
            let drop = try Cut.attachOnce(try DropProgram(), to: group, apply)
            result.effects.append(.attachDrop(group: drop.group, program: drop.program))
            result.cut?.drops.append(drop)
        } catch {
            result.cut?.failures.append(error)
        }
    }

    /// A group of Quell's that an earlier freeze made, opened by its inode (RT34); `nil` when it is gone.
    func takeUp(_ pin: CgroupPin?) throws(Failure) -> Cgroup? {
        guard let pin else { return nil }
        do throws(Failure) {
            return try Cgroup(pin, on: host)
        } catch {
            guard error.code == .notFound || error.code == .changed else { throw error }
            return nil
        }
    }

    private mutating func makeGroup() throws(Failure) -> Cgroup {
        guard let hierarchy = host.unified ?? host.freezer else {
            throw Failure(
                .notPermitted,
                "make a cgroup",
                on: "/",
                because: "no cgroup hierarchy can be reached on this machine"
            )
        }
        let name = try Cgroup.randomName()
        var made: Cgroup?
        try perform([.makeGroup(hierarchy: hierarchy.name, name: name)]) { () throws(Failure) in
            made = try Cgroup(BytePath("/"), in: hierarchy).makeChild(name)
        }
        guard let made else {
            throw Failure(.system, "make a cgroup", on: name, because: "the effect was recorded and not done")
        }
        return made
    }

    /// Moves guests out of frozen groups into a group of their own, where they run (RT11). Gives how many were moved.
    private mutating func spare(
        _ found: [(process: ScannedProcess, reason: String)]
    ) throws(Failure) -> Int {
        let fresh = found.filter { guests[$0.process.pin] == nil }
        guard !fresh.isEmpty else { return 0 }
        if aside == nil { aside = try takeUp(earlier.aside) }
        if aside == nil { aside = try makeGroup() }
        guard let target = aside else { return 0 }
        result.aside = target.pin
        for (process, reason) in fresh {
            let name = scans.stat(of: process.pin)?.name ?? BytePath("")
            var guest = Guest(process: process.pin, name: name, reason: reason, isSpared: false)
            guest.doubt = knowledge.doubt(about: process.pin)
            // A v1 group that holds the guest is left for the root of that hierarchy.
            let place = held.first { $0.cgroup.hierarchy.name != target.hierarchy.name }
            let destination = place == nil ? target : try Cgroup(BytePath("/"), in: held[0].cgroup.hierarchy)
            guard let origin = origin(of: process, in: destination.hierarchy) else { continue }
            let host = self.host
            do throws(Failure) {
                try perform([.move(process: process.pin, from: origin, to: destination.pin)]) {
                    () throws(Failure) in try destination.adopt(process.pin, on: host)
                }
                guest.isSpared = true
            } catch {
                result.failures.append(error)
            }
            guests[process.pin] = guest
        }
        return fresh.count
    }

    /// Where v1 groups hold, a thread may stand in another group of the freezer and run (RT5): it is moved back, until
    /// there is none, because a thread that runs can make others beside it.
    private mutating func holdThreadsElsewhere() throws(Failure) {
        guard let home = held.first, !home.cgroup.hierarchy.isUnified else { return }
        let deadline = Deadline(after: .milliseconds(policy.huntMilliseconds))
        var elsewhere = threadsElsewhere(in: home.cgroup.hierarchy)
        while !elsewhere.isEmpty, !deadline.hasPassed, moveBack(elsewhere, to: home.cgroup) {
            elsewhere = threadsElsewhere(in: home.cgroup.hierarchy)
        }
        result.stuck += elsewhere.map(\.thread)
        for index in held.indices {
            held[index].isFrozen = try held[index].control.wait(
                for: .frozen,
                until: Deadline(after: .milliseconds(500))
            )
        }
    }

    private struct ThreadElsewhere {
        let process: ProcessPin
        let path: BytePath
        let thread: StuckThread
    }

    private mutating func threadsElsewhere(in hierarchy: CgroupHierarchy) -> [ThreadElsewhere] {
        var groups = held.map(\.cgroup)
        if let quarantine { groups.append(quarantine.cgroup) }
        var found: [ThreadElsewhere] = []
        for member in lastFamily?.members ?? [] where member.threads > 1 {
            do throws(Failure) {
                let process = try ProcessDirectory(member.pin, on: host)
                for thread in try process.threadIDs() {
                    let line = try process.threadCgroups(thread).first { $0.hierarchy == hierarchy.name }
                    guard let line, !groups.contains(where: { line.path.isAtOrBelow($0.path) }) else { continue }
                    let stat = try process.threadStat(thread)
                    if stat.numbers.isZombie { continue }
                    let stuck = StuckThread(member.pid, thread, stat, process.threadWait(thread))
                    found.append(ThreadElsewhere(process: member.pin, path: line.path, thread: stuck))
                }
            } catch {
                if error.code != .notFound && error.code != .changed { result.failures.append(error) }
            }
        }
        return found
    }

    /// Gives whether any was moved: when none can be, trying again is of no use.
    private mutating func moveBack(_ threads: [ThreadElsewhere], to home: Cgroup) -> Bool {
        var isAnyMoved = false
        for elsewhere in threads {
            let thread = elsewhere.thread.thread
            do throws(Failure) {
                let from = try Cgroup(elsewhere.path, in: home.hierarchy).pin
                let effect = ContainmentEffect.moveThread(
                    process: elsewhere.process,
                    thread: thread,
                    from: from,
                    to: home.pin
                )
                let process = elsewhere.process
                let host = self.host
                try perform([effect]) { () throws(Failure) in try home.adopt(thread: thread, of: process, on: host) }
                result.notes.append(
                    "thread \(thread) of process \(elsewhere.process.pid) stood in \(elsewhere.path) and was moved back"
                )
                isAnyMoved = true
            } catch {
                result.failures.append(error)
            }
        }
        return isAnyMoved
    }
}
