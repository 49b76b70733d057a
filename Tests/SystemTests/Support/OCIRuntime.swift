import Programs
import Sessions

/// Real containers of runc or crun, started by the runtime itself without podman.
struct OCIRuntime {
    /// One of them.
    struct Container {
        let runtime: OCIContainer.Runtime
        let id: String
        let groups: [TestCgroup]

        var locator: String { "\(runtime.rawValue):\(id)" }
        var kind: SessionRuntime.Kind { runtime == .runc ? .runc : .crun }
        /// `created`, `running`, `stopped`, as the runtime says it.
        var state: String {
            let told = (try? OCIRuntime(runtime).command("state", id))?.text ?? ""
            return ["created", "running", "stopped"].first { told.contains("\"status\": \"\($0)\"") } ?? ""
        }
    }

    let runtime: OCIContainer.Runtime

    init(_ runtime: OCIContainer.Runtime) { self.runtime = runtime }

    /// Starts a container that runs a command of the shell, or only makes it, gives it to `body` and takes it away.
    func with(command text: String, isStarted: Bool = true, _ body: (Container) throws -> Void) throws {
        let sandbox = try Sandbox.of()
        let id = "\(sandbox.name)-web"
        let root = try ContainerRoot(named: "bundle-\(isStarted)/rootfs")
        let bundle = String(root.path.dropLast("/rootfs".utf8.count))
        let place = "/\(sandbox.name)/\(id)"
        Files.write(OCIRuntime.configuration(text, place), to: "\(bundle)/config.json")
        defer {
            _ = try? command("delete", "-f", id)
            ContainerRoot.removeCgroups(id)
            ContainerRoot.removeCgroups(sandbox.name)
        }
        let made = try command(isStarted ? "run" : "create", isStarted ? "-d" : "", "--bundle", bundle, id)
        guard made.status == 0 else { throw PodmanContainer.Problem(description: made.errorText + made.text) }
        let mounts: [(String?, TestCgroup.Hierarchy)] = [
            (CgroupMounts.unified, .unified), (runtime == .runc ? CgroupMounts.freezer : nil, .freezer),
        ]
        let groups = mounts.compactMap { mount, hierarchy in
            mount.map { TestCgroup(path: $0 + place, hierarchy: hierarchy) }
        }
        try body(Container(runtime: runtime, id: id, groups: groups))
    }

    /// Runs the runtime. crun refuses a machine with v1 and v2: it gets a mount namespace in which v2 is all there is.
    /// What it starts must not keep our pipes open.
    @discardableResult
    private func command(_ arguments: String...) throws -> Programs.Program.Result {
        let folder = try Sandbox.of().folder
        let view = "mount --make-rprivate / && umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && "
        let script = "\(runtime == .crun ? view : "")\"$@\" >\"$0\" 2>&1 </dev/null; code=$?; cat \"$0\"; exit $code"
        let shell = ["/bin/sh", "-c", script, "\(folder)/said", runtime.rawValue] + arguments.filter { !$0.isEmpty }
        let unshare = runtime == .crun ? ["/usr/bin/unshare", "-m"] : []
        let all = unshare + shell
        return try Program(all[0], Array(all.dropFirst())).run()
    }

    private static func configuration(_ command: String, _ place: String) -> String {
        """
        {"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":["/bin/sh","-c","\(command)"],
        "env":["PATH=/bin"],"cwd":"/"},"root":{"path":"rootfs"},
        "mounts":[{"destination":"/proc","type":"proc","source":"proc"}],
        "linux":{"cgroupsPath":"\(place)","namespaces":[{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},
        {"type":"mount"}]}}
        """
    }
}
