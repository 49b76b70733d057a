import Programs

/// A real container of lxc with its monitor.
struct LXCContainer {
    let name: String
    /// Its groups, v2 first.
    let groups: [TestCgroup]

    /// Starts a container that runs a command of the shell, gives it to `body` and takes it away.
    static func with(command: String, _ body: (LXCContainer) throws -> Void) throws {
        let sandbox = try Sandbox.of()
        let name = "\(sandbox.name)-lxc"
        let folder = "\(sandbox.folder)/lxc"
        let root = try ContainerRoot(named: "lxc/\(name)/rootfs")
        // Its configuration takes no quotes.
        Files.write("#!/bin/sh\n\(command)\n", to: "\(root.path)/work")
        let configuration = """
            lxc.uts.name = web
            lxc.rootfs.path = dir:\(root.path)
            lxc.net.0.type = empty
            lxc.init.cmd = /bin/sh /work

            """
        Files.write(configuration, to: "\(folder)/\(name)/config")
        let hadPivot = Files.exists("/sys/fs/cgroup/freezer/lxc.pivot")
        defer {
            _ = try? Program(Program.find("lxc-stop") ?? "lxc-stop", ["-P", folder, "-n", name, "-k"]).run()
            ContainerRoot.removeCgroups("lxc.*.\(name)*")
            if !hadPivot { ContainerRoot.removeCgroups("lxc.pivot") }
        }
        let start = "\"$0\" -P \"$1\" -n \"$2\" -d -o \"$1/log\" >\"$1/said\" 2>&1 </dev/null"
        let path = Program.find("lxc-start") ?? "lxc-start"
        let started = try Program("/bin/sh", ["-c", start, path, folder, name]).run()
        guard started.status == 0 else {
            throw PodmanContainer.Problem(description: "lxc-start: \(Files.text("\(folder)/log") ?? "")")
        }
        let mounts: [(String?, TestCgroup.Hierarchy)] = [
            (CgroupMounts.unified, .unified), (CgroupMounts.freezer, .freezer),
        ]
        let groups = mounts.compactMap { mount, hierarchy in
            mount.map { TestCgroup(path: "\($0)/lxc.payload.\(name)", hierarchy: hierarchy) }
        }
        defer { groups.forEach { $0.thaw() } }
        try body(LXCContainer(name: name, groups: groups))
    }
}
