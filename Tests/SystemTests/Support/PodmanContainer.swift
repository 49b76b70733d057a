import Base
import Containment
import Glibc
import Kernel
import Programs

/// A real container of podman and runc in podman's own store, with a name of this test's; busybox is all there is in it.
final class PodmanContainer: Sendable {
    /// From the package busybox-static.
    static let busybox = "/bin/busybox"

    let name: String
    let id: String

    struct Problem: Error, CustomStringConvertible { let description: String }

    /// Runs a container, gives it to `body`, and takes it, its image and its groups away, whatever happens.
    static func with<Result>(
        _ options: String...,
        command: String...,
        body: (PodmanContainer) throws -> Result
    ) throws -> Result {
        let sandbox = try Sandbox.of()
        let image = "localhost/\(sandbox.name):1"
        try importImage(image, sandbox)
        defer { _ = try? podman("rmi", "-f", image) }
        let container = try PodmanContainer("\(sandbox.name)-web", ["--runtime", "runc"], options + [image] + command)
        defer { container.remove() }
        return try body(container)
    }

    /// The same with gVisor as the runtime.
    static func withGVisor(command: String..., body: (PodmanContainer) throws -> Void) throws {
        let sandbox = try Sandbox.of()
        let image = "localhost/\(sandbox.name):1"
        try importImage(image, sandbox)
        defer { _ = try? podman("rmi", "-f", image) }
        let flags = ["--runtime", "runsc", "--runtime-flag", "platform=ptrace", "--runtime-flag", "network=none"]
        let container = try PodmanContainer("\(sandbox.name)-gv", flags, [image] + command)
        defer { container.remove() }
        try body(container)
    }

    private init(_ name: String, _ runtime: [String], _ arguments: [String]) throws {
        self.name = name
        let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
        let common = ["run", "-d", "--network=none", "--log-driver", "k8s-file", "--name", name]
        let run = try Program(PodmanContainer.program(), runtime + common + limits + arguments).run()
        guard run.status == 0 else { throw Problem(description: "podman run: \(run.errorText)") }
        id = run.text.split(separator: "\n").last.map(String.init) ?? ""
    }

    @discardableResult
    static func podman(_ arguments: String...) throws -> Programs.Program.Result {
        try Program(program(), ["--runtime", "runc"] + arguments).run()
    }

    static func program() -> String { Program.find("podman") ?? "podman" }

    private static func importImage(_ image: String, _ sandbox: Sandbox) throws {
        let root = "\(sandbox.folder)/image"
        let script = """
            mkdir -p "$0/bin" "$0/etc" "$0/proc" "$0/sys" "$0/dev" "$0/tmp" "$0/run" && cp \(busybox) "$0/bin/busybox" &&
            for name in sh sleep true cat kill; do ln -s busybox "$0/bin/$name"; done && tar -C "$0" -cf "$0.tar" .
            """
        let made = try Program("/bin/sh", ["-c", script, root]).run()
        guard made.status == 0 else { throw Problem(description: "image: \(made.errorText)") }
        let imported = try podman("import", "-q", "\(root).tar", image)
        guard imported.status == 0 else { throw Problem(description: "podman import: \(imported.errorText)") }
    }

    /// The pid of the container's first process, as podman has it on disk; `nil` when it is gone.
    var first: Int32? { pid("pidfile") }
    /// The pid of its conmon.
    var conmon: Int32? { pid("conmon.pid") }
    /// Its path below the root of every hierarchy.
    var path: String { "/libpod_parent/libpod-\(id)" }
    /// Its groups in the hierarchies that matter.
    var groups: [TestCgroup] {
        [(CgroupMounts.unified, TestCgroup.Hierarchy.unified), (CgroupMounts.freezer, .freezer)].compactMap {
            mount,
            hierarchy in mount.map { TestCgroup(path: $0 + path, hierarchy: hierarchy) }
        }
    }
    /// How `podman ps -a` tells it, in a word or two.
    func status() throws -> String {
        try PodmanContainer.podman("ps", "-a", "--filter", "name=\(name)", "--format", "{{.Status}}").text
    }

    private func pid(_ file: String) -> Int32? {
        Files.text("/run/containers/storage/overlay-containers/\(id)/userdata/\(file)")
            .flatMap { Int32($0.split(separator: "\n").first ?? "") }
    }

    private func remove() {
        if let conmon, let mount = CgroupMounts.unified {
            Files.write("\(conmon)", to: "\(mount)/cgroup.procs", create: false)
        }
        groups.forEach { $0.thaw() }
        _ = try? PodmanContainer.podman("rm", "-f", "-t", "0", name)
        for group in groups { _ = group.destroy() }
    }
}

/// Groups of Quell's that hold supervisors lie outside every sandbox.
enum Holds {
    /// Lets everything go that `effects` hold, and removes the groups.
    static func remove(_ effects: [ContainmentEffect], on host: Host) {
        for case .makeHold(let hierarchy, let name) in effects {
            guard let found = host.hierarchy(named: hierarchy), let made = try? Cgroup(BytePath("/" + name), in: found),
                let root = try? Cgroup(BytePath("/"), in: found)
            else { continue }
            _ = eventually(within: .seconds(3)) {
                for pid in (try? made.processes()) ?? [] { try? root.adopt(pid) }
                try? made.remove()
                return !made.stillExists()
            }
        }
    }
}
