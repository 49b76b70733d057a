import Base
import Kernel

/// A container that the kernel confirmed.
struct RunningContainer {
    /// Its whole id.
    let id: String
    /// The cgroups of the container in the hierarchies that are open.
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
        guard !groups.isEmpty else {
            throw refused("its state names process \(stat.pid), which the kernel has in no cgroup of that container")
        }
        return RunningContainer(id: id, groups: groups, process: stat.pin)
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

    /// It is known, and nothing of it runs.
    func notRunning(_ reason: String) -> Failure {
        Failure(
            .notFound,
            "find the container",
            on: argument,
            because: "\(reason): nothing of it runs, only its files are left",
            hint: "quell"
        )
    }

    private func refused(_ reason: String) -> Failure {
        Failure(.refused, "take the container for a session", on: argument, because: reason, hint: "quell")
    }
}
