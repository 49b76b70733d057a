import Glibc
import Programs

/// A real dockerd of this test's own, with its files below the folder of the test: `var/lib/docker` and `run/docker`, where
/// a resolver with that root looks. With copies for storage it has a mount namespace of its own, so that its mounts end with
/// it; overlays stand in the machine's, as docker's do. It touches no network of the machine's.
final class DockerEngine: Sendable {
    /// The client of the package docker.io, whatever else is called docker on this machine.
    static let client = "/usr/bin/docker"

    /// How it keeps the files of containers.
    enum Storage: String { case vfs, overlay2 }

    /// One container of it.
    struct Container {
        let engine: DockerEngine
        let name: String
        let id: String

        var locator: String { "docker:\(name)" }
        /// Its groups, v2 first.
        var groups: [TestCgroup] {
            let mounts: [(String?, TestCgroup.Hierarchy)] = [
                (CgroupMounts.unified, .unified), (CgroupMounts.freezer, .freezer),
            ]
            return mounts.compactMap { mount, hierarchy in
                mount.map { TestCgroup(path: "\($0)/docker/\(id)", hierarchy: hierarchy) }
            }
        }
        /// What docker says of it: `true 0`, `false 3`.
        var state: String {
            let format = "{{.State.Running}} {{.State.ExitCode}}"
            let told = try? engine.docker(["inspect", "-f", format, name]).text
            return (told ?? "").split(separator: "\n").first.map(String.init) ?? ""
        }
    }

    private let folder: String
    private let daemon: Child

    /// Starts an engine and a container, gives it to `body` and takes both away, whatever happens.
    static func with(
        _ options: String...,
        storage: Storage = .vfs,
        command: String...,
        body: (Container) throws -> Void
    ) throws {
        let sandbox = try Sandbox.of()
        let engine = try DockerEngine(sandbox, storage)
        let name = "\(sandbox.name)-web"
        defer { engine.end(name) }
        let imported = try engine.docker(["import", "\(sandbox.folder)/image.tar", "busybox:1"])
        guard imported.status == 0 else { throw problem("import", imported) }
        let run = try engine.docker(
            ["run", "-d", "--network=none", "--name", name] + options + ["busybox:1"] + command
        )
        guard run.status == 0 else { throw problem("run", run) }
        let id = run.text.split(separator: "\n").last.map(String.init) ?? ""
        try body(Container(engine: engine, name: name, id: id))
    }

    private init(_ sandbox: Sandbox, _ storage: Storage) throws {
        folder = sandbox.folder
        let root = try ContainerRoot(named: "image")
        let packed = try Program("/bin/tar", ["-C", root.path, "-cf", "\(folder)/image.tar", "."]).run()
        guard packed.status == 0 else { throw DockerEngine.problem("tar", packed) }
        let script = """
            mkdir -p "$0/var/lib" "$0/run" && exec dockerd --data-root "$0/var/lib/docker" \
            --exec-root "$0/run/docker" --pidfile "$0/docker.pid" --host "unix://$0/docker.sock" --iptables=false \
            --ip6tables=false --ip-forward=false --ip-masq=false --bridge=none --storage-driver \(storage) >"$0/dockerd" 2>&1
            """
        let apart = storage == .vfs ? ["-m", "--propagation", "private"] : []
        daemon = try sandbox.start(Program("/usr/bin/unshare", apart + ["/bin/sh", "-c", script, folder]))
        let isReady = eventually(within: .seconds(60)) { (try? docker(["version"]).status) == 0 }
        guard isReady else {
            let said = Files.text("\(folder)/dockerd") ?? ""
            throw PodmanContainer.Problem(description: "dockerd: \(said.suffix(600))")
        }
    }

    @discardableResult
    func docker(_ arguments: [String]) throws -> Programs.Program.Result {
        try Program(DockerEngine.client, ["--host", "unix://\(folder)/docker.sock"] + arguments).run()
    }

    private func end(_ name: String) {
        _ = try? docker(["rm", "-f", name])
        daemon.signal(SIGTERM)
        _ = eventually(within: .seconds(15)) { daemon.hasEnded }
        // What stands in the machine's mount namespace when a test failed in the middle.
        for line in (Files.text("/proc/self/mountinfo") ?? "").split(separator: "\n").reversed() {
            let words = line.split(separator: " ")
            if words.count > 4, words[4].hasPrefix(folder + "/") { umount2(String(words[4]), Int32(MNT_DETACH)) }
        }
        // Only groups that are empty go.
        ContainerRoot.removeCgroups("docker")
    }

    private static func problem(_ what: String, _ result: Programs.Program.Result) -> PodmanContainer.Problem {
        PodmanContainer.Problem(description: "docker \(what): \(result.errorText)\(result.text)")
    }
}
