import Glibc
import Programs
import Testing

/// A real container of systemd-nspawn, started without systemd: it stands in two groups of v2 below its caller's, and in
/// the caller's group of the freezer.
struct NspawnContainer {
    /// systemd-nspawn itself.
    let first: Int32
    /// The machine's name.
    let name: String
    /// `supervisor` and `payload`.
    let groups: [TestCgroup]

    /// Starts a container that runs a command of the shell, gives it to `body` and takes it away.
    static func with(command: String, _ body: (NspawnContainer) throws -> Void) throws {
        let sandbox = try Sandbox.of()
        let room = try #require(sandbox.unified).subgroup("machines")
        let root = try ContainerRoot(named: "nspawn")
        let path = Program.find("systemd-nspawn") ?? "systemd-nspawn"
        let name = "\(sandbox.name)-machine"
        let options = ["-q", "-D", root.path, "-M", name, "--register=no", "--keep-unit", "--private-network", "-a"]
        let enter = ["enter", room.path, "--", path] + options + ["/bin/sh", "-c", command]
        let child = try sandbox.start(Program(try Sandbox.testkitPath(), enter))
        let groups = ["supervisor", "payload"].map {
            TestCgroup(path: "\(room.path)/\($0)", hierarchy: .unified)
        }
        // It makes the same groups in the hierarchy of systemd.
        defer {
            _ = room.destroy()
            for name in ["supervisor", "payload", "machines", sandbox.name] { ContainerRoot.removeCgroups(name) }
            rmdir("/run/systemd/nspawn/propagate/\(name)")
        }
        let isReady = eventually { groups.allSatisfy { !$0.processes.isEmpty } }
        try #require(isReady)
        try body(NspawnContainer(first: child.id, name: name, groups: groups))
    }
}
