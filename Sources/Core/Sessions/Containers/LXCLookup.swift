import Base
import Documents
import Kernel

/// Finds a container of lxc by its name. lxc writes down no pid: a cgroup has the name, and the kernel has to say that
/// what stands in it was started by lxc's monitor (RT8). The monitor's socket is not asked (RT13).
struct LXCLookup {
    let host: Host
    let root: BytePath

    /// Where it stands and which process leads it.
    ///
    /// - Throws: `notFound` when none of that name runs, `ambiguous` when several do, `refused` when the cgroup of that name
    ///   holds something else.
    func find(_ name: ContainerName, for verb: String) throws(Failure) -> RunningContainer {
        let paths = try paths(of: name)
        guard let path = paths.first else { throw try absent(name) }
        guard paths.count == 1 else { throw try ambiguous(name, paths, verb) }
        let groups = try CgroupLookup(host: host).groups(at: path)
        guard let leader = try leader(at: path) else { throw notRunning(name, "its cgroup is empty") }
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

    /// Whether a container of that name runs.
    func hasContainer(_ name: ContainerName) throws(Failure) -> Bool { try !paths(of: name).isEmpty }

    /// The paths of cgroups of that name: `lxc.payload.NAME`, before lxc 4 `lxc/NAME`. Each once, though it stands in two
    /// hierarchies.
    private func paths(of name: ContainerName) throws(Failure) -> [BytePath] {
        let payload = BytePath("lxc.payload.\(name.name)")
        let old = BytePath(name.name)
        var found: Set<BytePath> = []
        for hierarchy in [host.unified, host.freezer].compactMap({ $0 }) {
            try Cgroup(BytePath("/"), in: hierarchy).forEachInTree { group throws(Failure) in
                let last = group.path.lastComponent
                if last == payload || last == old && group.path.parent.lastComponent == BytePath("lxc") {
                    found.insert(group.path)
                }
            }
        }
        return found.sorted()
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

    private func ambiguous(_ name: ContainerName, _ paths: [BytePath], _ verb: String) throws(Failure) -> Failure {
        var commands: [String] = []
        for path in paths {
            if let leader = try leader(at: path) { commands.append("quell \(verb) pid:\(leader.pin.pid)") }
        }
        return Failure(
            .ambiguous,
            "find the container",
            on: name.argument,
            because: "\(paths.count) cgroups have the name of that container",
            hint: commands.joined(separator: "\n")
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
