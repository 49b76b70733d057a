import Base
import Documents
import Kernel

/// Finds a container of lxc by its name. lxc writes down no pid: a cgroup has the name, and the kernel has to say that
/// what stands in it was started by lxc's monitor (RT8). The monitor's socket is not asked (RT13).
struct LXCLookup {
    let host: Host
    let root: BytePath
    /// How long the tree of cgroups may be walked, because a freeze waits for it.
    var patience = Duration.milliseconds(250)

    /// Where it stands and which process leads it.
    ///
    /// - Throws: `notFound` when none of that name runs, `ambiguous` when several do, `refused` when the cgroup of that name
    ///   holds something else, `timedOut` when there are more cgroups than could be looked at.
    func find(_ name: ContainerName, for verb: String) throws(Failure) -> RunningContainer {
        let found = try CgroupSearch(host: host, patience: patience).paths { LXCLookup.isPayload($0, of: name.name) }
        let standing = try leaders(at: found.paths)
        guard found.isWhole else {
            throw CgroupSearch.cutShort(name.argument, standing.map { "quell \(verb) pid:\($0.leader.pin.pid)" })
        }
        guard let (path, leader) = standing.first else {
            guard found.paths.isEmpty else { throw notRunning(name, "its cgroup is empty") }
            throw try absent(name)
        }
        guard standing.count == 1 else { throw ambiguous(name, standing.map(\.leader), verb) }
        let groups = try CgroupLookup(host: host).groups(at: path)
        guard isStartedByMonitor(leader) else {
            throw Failure(
                .refused,
                "take the container for a session",
                on: name.argument,
                because: "a cgroup has that name, but lxc did not start what stands in it (process \(leader.pin.pid))",
                hint: "quell \(verb) pid:\(leader.pin.pid)"
            )
        }
        return RunningContainer(id: name.name, groups: groups, process: leader.pin)
    }

    /// Whether a cgroup is that of a container of that name: `lxc.payload.NAME`, before lxc 4 `lxc/NAME`.
    static func isPayload(_ path: BytePath, of name: String) -> Bool {
        let last = path.lastComponent
        if last == BytePath("lxc.payload.\(name)") { return true }
        return last == BytePath(name) && path.parent.lastComponent == BytePath("lxc")
    }

    /// Those of the cgroups in which somebody runs. Whoever may make cgroups can make empty ones of any name, and take them
    /// away again.
    private func leaders(at paths: [BytePath]) throws(Failure) -> [(path: BytePath, leader: SessionMember)] {
        var found: [(path: BytePath, leader: SessionMember)] = []
        for path in paths {
            do throws(Failure) {
                if let leader = try leader(at: path) { found.append((path, leader)) }
            } catch {
                guard error.code == .notFound else { throw error }
            }
        }
        return found
    }

    private func leader(at path: BytePath) throws(Failure) -> SessionMember? {
        var look = SessionLook(host: host, locator: .cgroup(path), agent: nil)
        return try look.session(of: try CgroupLookup(host: host).groups(at: path)).leader
    }

    /// The monitor stands outside, where what runs in the container reaches neither its name nor its cgroup.
    private func isStartedByMonitor(_ leader: SessionMember) -> Bool {
        let scanner = ProcessScanner(host)
        guard let parent = scanner.namedStat(of: leader.parent) else { return false }
        if parent.name == BytePath("lxc-start") { return true }
        return (scanner.cgroups(of: leader.parent) ?? []).contains { line in
            line.path.components.contains { $0.text?.hasPrefix("lxc.monitor.") == true }
        }
    }

    private func ambiguous(_ name: ContainerName, _ leaders: [SessionMember], _ verb: String) -> Failure {
        Failure(
            .ambiguous,
            "find the container",
            on: name.argument,
            because: "\(leaders.count) cgroups have the name of that container",
            hint: leaders.map { "quell \(verb) pid:\($0.pin.pid)" }.joined(separator: "\n")
        )
    }

    private func absent(_ name: ContainerName) throws(Failure) -> Failure {
        let folder = root.appending("var/lib/lxc").appending(name.name)
        do throws(Failure) {
            let files = try TrustedFile.names(in: folder, to: "look for the container")
            if files.contains(BytePath("config")) { return notRunning(name, "it is stopped") }
        } catch {
            guard error.code == .notFound || error.code == .notPermitted else { throw error }
        }
        return Failure(
            .notFound,
            "find the container",
            on: name.argument,
            because: "no container of lxc of that name runs",
            hint: "quell sessions"
        )
    }

    private func notRunning(_ name: ContainerName, _ reason: String) -> Failure {
        ContainerConfirmation(host: host, owner: .root(at: root), argument: name.argument).notRunning(reason)
    }
}
