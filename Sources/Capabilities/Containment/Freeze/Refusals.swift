internal import Base
internal import Kernel

/// What a freeze refuses before it touches anything (DESIGN section 5). Only stat and cgroup files are read for it.
struct Refusals {
    let policy: FreezePolicy
    /// What is refused.
    var verb = "freeze"

    /// Names of programs whose loss is the host's; a name alone counts only for a process that is not of the session,
    /// because anybody can take a name.
    static let guarded = [
        "systemd", "init", "sshd", "systemd-journal", "systemd-logind", "systemd-udevd", "dbus-daemon", "dbus-broker",
        "dockerd", "containerd", "podman", "crio", "kubelet", "qemu-ga",
    ]

    /// Throws ``Base/Failure/Code/refused`` for the root, for slices, and for groups that hold what the host needs. Gives
    /// what could not be looked at in the time there is before a freeze, in words for people.
    @discardableResult
    func check(_ groups: [Cgroup], leader: ProcessPin?, on host: Host) throws(Failure) -> [String] {
        for group in groups {
            if group.isRoot { throw refusal(group, "it is the root of \(group.hierarchy.name)", isFinal: true) }
            guard policy.broad == nil else { continue }
            if group.path.lastComponent.text?.hasSuffix(".slice") == true {
                throw refusal(group, "it is a slice and holds more than a session")
            }
        }
        return try check(groups, leader, ProcessScanner(host), on: host)
    }

    /// Whom a person named with `--include`: what can never be held is refused and not left out in silence.
    func check(included: [ProcessPin], responder: [Int32], on host: Host) throws(Failure) {
        let scanner = ProcessScanner(host)
        for process in included {
            if process.pid <= 1 {
                throw refusal(process, "it is the first process of this machine", isFinal: true)
            }
            if responder.contains(process.pid) { throw refusal(process, "Quell runs below it", isFinal: true) }
            guard let stat = scanner.namedStat(of: process.pid), stat.pin == process else { continue }
            if stat.numbers.isKernelThread { throw refusal(process, "it is a thread of the kernel", isFinal: true) }
            if policy.broad == nil, Refusals.isGuarded(stat, host) {
                throw refusal(process, "it is \(stat.name), which this machine needs")
            }
        }
    }

    private func check(
        _ groups: [Cgroup],
        _ leader: ProcessPin?,
        _ scanner: borrowing ProcessScanner,
        on host: Host
    ) throws(Failure) -> [String] {
        if let leader {
            guard leader.pid > 1 else {
                throw refusal(leader, "it is the first process of this machine", isFinal: true)
            }
            if groups.isEmpty, Responder.pids(on: host).contains(leader.pid) {
                throw refusal(leader, "Quell itself was started by it; give it from another shell", isFinal: true)
            }
            if let stat = scanner.namedStat(of: leader.pid), stat.pin == leader {
                if stat.numbers.isKernelThread { throw refusal(leader, "it is a thread of the kernel", isFinal: true) }
                if policy.broad == nil, isOfTheMachine(stat, scanner, host) {
                    throw refusal(leader, "it is \(stat.name), which this machine needs")
                }
            }
        }
        guard policy.broad == nil else { return [] }
        var notes: [String] = []
        for group in groups {
            do throws(Failure) {
                if try checkMembers(of: group, leader, scanner, host) { continue }
                notes.append("\(group.path) has more groups than could be looked at for what this machine needs")
            } catch {
                if error.code == .refused { throw error }
                notes.append("\(group.path) was not looked at to the end for what this machine needs: \(error)")
            }
        }
        return notes
    }

    /// In the leader's own group a foreign sshd is a guest and will be spared; beside it, below the named group, it
    /// means that the group is more than a session. `false` when there are more groups than there is time.
    private func checkMembers(
        of group: Cgroup,
        _ leader: ProcessPin?,
        _ scanner: borrowing ProcessScanner,
        _ host: Host
    ) throws(Failure) -> Bool {
        let home = leader.flatMap { scanner.cgroups(of: $0.pid) }?
            .first { $0.hierarchy == group.hierarchy.name }?.path
        return try group.forEachInTree(until: Deadline(after: .milliseconds(20))) { below throws(Failure) in
            if leader != nil, below.path == home { return }
            for pid in try below.memberPids() {
                guard let stat = scanner.namedStat(of: pid), Refusals.isGuarded(stat, host),
                    !descends(stat, from: leader, scanner)
                else { continue }
                throw Failure(
                    .refused,
                    "\(verb) the group",
                    on: String(decoding: below.path.bytes, as: UTF8.self),
                    because: "it holds \(stat.name) (process \(pid)), which this machine needs",
                    hint: broader
                )
            }
        }
    }

    /// Whether it is guarded and was started by the machine's first process or by something that is so itself.
    private func isOfTheMachine(_ stat: ProcessStat, _ scanner: borrowing ProcessScanner, _ host: Host) -> Bool {
        var current = stat
        while Refusals.isGuarded(current, host) {
            guard current.numbers.parent > 1, let parent = scanner.namedStat(of: current.numbers.parent) else {
                return true
            }
            current = parent
        }
        return false
    }

    private func descends(
        _ stat: ProcessStat,
        from leader: ProcessPin?,
        _ scanner: borrowing ProcessScanner
    ) -> Bool {
        guard let leader, scanner.stat(of: leader.pid)?.startTicks == leader.startTicks else { return false }
        var parent = stat.numbers.parent
        for _ in 0..<1024 where parent > 1 && parent != leader.pid { parent = scanner.stat(of: parent)?.parent ?? 0 }
        return parent == leader.pid
    }

    private var broader: String {
        verb == "freeze" ? "add --broad and the reason" : "freeze it before, with --broad and the reason"
    }

    /// Whether it has the name of what the machine needs, and is root's in the machine's own pid namespace. Only stat and
    /// status are read, so that it can be asked before a freeze; what it executes is asked after it (``ParentProgram``).
    static func isGuarded(_ stat: ProcessStat, _ host: Host) -> Bool {
        guard let name = stat.name.text, Refusals.guarded.contains(name) else { return false }
        do throws(Failure) {
            let status = try ProcessDirectory(stat.pin, on: host).status()
            return status.uids.first == 0 && status.namespacePids.count <= 1
        } catch {
            return false
        }
    }

    private func refusal(_ group: Cgroup, _ reason: String, isFinal: Bool = false) -> Failure {
        Failure(
            .refused,
            "\(verb) the group",
            on: String(decoding: group.path.bytes, as: UTF8.self),
            because: reason,
            hint: isFinal ? nil : broader
        )
    }

    private func refusal(_ leader: ProcessPin, _ reason: String, isFinal: Bool = false) -> Failure {
        Failure(
            .refused,
            "\(verb) process \(leader.pid)",
            on: String(leader.pid),
            because: reason,
            hint: isFinal ? nil : broader
        )
    }
}

extension Cgroup {
    /// The pids of this group and of every group below it, by the path of the group; groups without any are left out.
    func treeMembers() throws(Failure) -> [(path: BytePath, pids: [Int32])] {
        var found: [(path: BytePath, pids: [Int32])] = []
        try forEachInTree { group throws(Failure) in
            let pids = try group.memberPids()
            if !pids.isEmpty { found.append((group.path, pids)) }
        }
        return found
    }

    /// The pids of the group, also of a threaded one, where only its threads can be listed.
    func memberPids() throws(Failure) -> [Int32] {
        do throws(Failure) {
            return try processes()
        } catch {
            if error.code == .notFound { return [] }
            guard error.errno == 95 else { throw error }
            return try threads()
        }
    }
}
