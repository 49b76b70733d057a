import Base
import Glibc
import Kernel

/// A container that was found by its name.
enum FoundContainer {
    /// Its processes are the host's.
    case running(RunningContainer)
    /// gVisor runs it: runsc has a state for that id.
    case sandbox(ContainerName)

    /// Its id.
    var id: String {
        switch self {
        case .running(let container): container.id
        case .sandbox(let name): name.name
        }
    }
}

/// A container that the kernel confirmed.
struct RunningContainer {
    /// Its whole id.
    let id: String
    /// The cgroups of the container in the hierarchies that are open; none when a user's runtime could make none.
    let groups: [Cgroup]
    /// Its first process.
    let process: ProcessPin
}

/// Holds what a runtime wrote about a container against what the kernel says: pid, start time, cgroup, owner (RT8).
struct ContainerConfirmation {
    let host: Host
    let owner: ContainerOwner
    /// How the container was named, for messages.
    let argument: String
    /// The next command when nothing of it runs.
    var next = "quell"

    /// The container, when the kernel says the same. `home` gives the part of a cgroup path of the first process that is
    /// the container's own; `nil` when the path is not of that container.
    ///
    /// - Throws: `notFound` when the first process has ended, `refused` when the kernel says otherwise.
    func confirm(
        _ id: String,
        _ state: ContainerState,
        home: (BytePath) -> BytePath?
    ) throws(Failure) -> RunningContainer {
        let scanner = ProcessScanner(host)
        guard let stat = scanner.namedStat(of: state.process.pid), stat.pin == state.process, !stat.numbers.isDead
        else { throw notRunning("its first process has ended") }
        try requireSpeaker(stat)
        let lines = try ProcessDirectory.places(of: stat.pin, isHeadless: stat.numbers.isHeadless, on: host)
            .flatMap { $0 }
        var groups: [Cgroup] = []
        for hierarchy in [host.unified, host.freezer].compactMap({ $0 }) {
            guard let line = lines.first(where: { $0.hierarchy == hierarchy.name }), let path = home(line.path)
            else { continue }
            groups.append(try Cgroup(path, in: hierarchy).domain())
        }
        if groups.isEmpty, try !standsApart(stat.pin, state) {
            throw refused("its state names process \(stat.pid), which the kernel has in no cgroup of that container")
        }
        try requireOwn(groups, stat.pid)
        return RunningContainer(id: id, groups: groups, process: stat.pin)
    }

    /// A user without the right to make cgroups leaves the container where it was started. The kernel has then to say
    /// that none of the state's groups is there, and that the process is in a pid namespace of its own: no other process
    /// of that user's is.
    private func standsApart(_ pin: ProcessPin, _ state: ContainerState) throws(Failure) -> Bool {
        guard owner.uid != nil, try !isThere(state.cgroups) else { return false }
        guard let own = try ProcessDirectory(pin, on: host).namespace(.pid) else { return false }
        let scanner = ProcessScanner(host)
        // The first process of a machine may not be looked at everywhere.
        let machine = scanner.namespace(.pid, of: 1) ?? scanner.namespace(.pid, of: getpid())
        return machine != nil && own != machine
    }

    /// Whether one of the paths, which have the mount point in front, is a cgroup of an open hierarchy.
    private func isThere(_ paths: [BytePath]) throws(Failure) -> Bool {
        for path in paths {
            for count in 1...max(1, path.components.count) {
                let end = path.components.suffix(count).reduce(BytePath("/")) { $0.appending($1) }
                for hierarchy in [host.unified, host.freezer].compactMap({ $0 }) {
                    do throws(Failure) {
                        _ = try Cgroup(end, in: hierarchy)
                        return true
                    } catch {
                        guard error.code == .notFound else { throw error }
                    }
                }
            }
        }
        return false
    }

    /// A cgroup with the container's id that holds processes although no runtime keeps a state: files can be removed
    /// under a container that runs. `nil` when there is none.
    func stranded(_ components: Set<BytePath>, _ verb: String) throws(Failure) -> Failure? {
        var pid: Int32?
        for hierarchy in [host.unified, host.freezer].compactMap({ $0 }) {
            try Cgroup(BytePath("/"), in: hierarchy).forEachInTree { group throws(Failure) in
                guard pid == nil, group.path.components.contains(where: components.contains) else { return }
                pid = try group.processes().first { $0 > 1 }
            }
        }
        guard let pid else { return nil }
        return Failure(
            .refused,
            "take the container for a session",
            on: argument,
            because: "its runtime keeps no state of it, but process \(pid) stands in its cgroup",
            hint: "quell \(verb) pid:\(pid)"
        )
    }

    /// What a user wrote may only be about a process of that user's: its own uid, or a parent (conmon) with it, because
    /// inside a user namespace it may run as another.
    private func requireSpeaker(_ stat: ProcessStat) throws(Failure) {
        guard let uid = owner.uid else { return }
        for pid in [stat.pid, stat.numbers.parent] where pid > 1 {
            if try ProcessDirectory(pid, on: host).status().uids.first == uid { return }
        }
        throw refused("its state names process \(stat.pid), which is not of \(owner.words)")
    }

    /// A user's state may pin only what is the user's: a group that root handed to them, or one in which everybody is
    /// theirs. Into any other one only a process of theirs has got, and the rest of it is not theirs to be frozen.
    private func requireOwn(_ groups: [Cgroup], _ first: Int32) throws(Failure) {
        guard let uid = owner.uid else { return }
        for group in groups where try group.owner() != uid {
            try group.forEachInTree { below throws(Failure) in
                for pid in try pids(of: below) where try !isOwn(pid) {
                    throw Failure(
                        .refused,
                        "take the container for a session",
                        on: argument,
                        because: "process \(pid) stands in \(below.path), which is not of \(owner.words)",
                        hint: "quell freeze pid:\(first)"
                    )
                }
            }
        }
    }

    private func isOwn(_ pid: Int32) throws(Failure) -> Bool {
        do throws(Failure) {
            return try ProcessDirectory(pid, on: host).status().uids.first.map(owner.has) ?? true
        } catch {
            guard error.code == .notFound else { throw error }
            return true
        }
    }

    /// Threaded groups hold threads of processes that their domain lists.
    private func pids(of group: Cgroup) throws(Failure) -> [Int32] {
        do throws(Failure) {
            return try group.processes().filter { $0 > 0 }
        } catch {
            guard error.code == .notFound || error.errno == EOPNOTSUPP else { throw error }
            return []
        }
    }

    /// It is known, and nothing of it runs.
    func notRunning(_ reason: String) -> Failure {
        Failure(
            .notFound,
            "find the container",
            on: argument,
            because: "\(reason): nothing of it runs, only its files are left",
            hint: next
        )
    }

    private func refused(_ reason: String) -> Failure {
        Failure(.refused, "take the container for a session", on: argument, because: reason, hint: "quell")
    }
}
