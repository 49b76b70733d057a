import Base
import Programs

/// A real container of runc's that a user without rights started: its state lies in the user's runtime folder, below the
/// folder of the test, and it has no cgroup, because the user may make none.
struct RootlessContainer {
    /// Nobody's on this machine.
    static let uid: UInt32 = 48_123
    static let user = "quell-agents"

    let id: String
    /// For resolvers: the user stands in its etc/passwd.
    let root: BytePath
    /// Its first process.
    let first: Int32

    var locator: String { "runc:\(RootlessContainer.user)/\(id)" }
    /// The user's own state of runc's.
    var states: String { "\(root)/run/user/\(RootlessContainer.uid)/runc" }

    /// Starts it, gives it to `body` and takes it away.
    static func with(command: String, _ body: (RootlessContainer) throws -> Void) throws {
        let sandbox = try Sandbox.of()
        let root = try ContainerRoot(named: "bundle/rootfs")
        let runtime = "\(sandbox.folder)/run/user/\(uid)"
        let id = "\(sandbox.name)-own"
        Files.write(configuration(command), to: "\(sandbox.folder)/bundle/config.json")
        let made = try Program(
            "/bin/sh",
            [
                "-c",
                """
                chmod 711 "$0" && mkdir -p "$0/etc" "$1" && chown -R \(uid):\(uid) "$0/bundle" "$1" && chmod 700 "$1" &&
                echo '\(user):x:\(uid):\(uid)::/nonexistent:/bin/sh' >"$0/etc/passwd"
                """,
                sandbox.folder, runtime,
            ]
        ).run()
        guard made.status == 0, !root.path.isEmpty else { throw PodmanContainer.Problem(description: made.errorText) }
        defer { _ = try? runc(runtime, "delete", "-f", id) }
        let run = try runc(runtime, "run", "-d", "--bundle", "\(sandbox.folder)/bundle", id)
        guard run.status == 0 else { throw PodmanContainer.Problem(description: run.errorText + run.text) }
        let state = Files.text("\(runtime)/runc/\(id)/state.json") ?? ""
        let digits = state.firstRange(of: "\"init_process_pid\":").map { state[$0.upperBound...] } ?? ""
        guard let first = Int32(digits.prefix { $0.isNumber }) else {
            throw PodmanContainer.Problem(description: state)
        }
        try body(RootlessContainer(id: id, root: BytePath(sandbox.folder), first: first))
    }

    /// Runs runc as the user. What it starts must not keep our pipes open.
    @discardableResult
    private static func runc(_ runtime: String, _ arguments: String...) throws -> Programs.Program.Result {
        let script = "runc \"$@\" >\"$0/said\" 2>&1 </dev/null; code=$?; cat \"$0/said\"; exit $code"
        var program = Program(
            "/usr/bin/setpriv",
            ["--reuid", "\(uid)", "--regid", "\(uid)", "--clear-groups", "/bin/sh", "-c", script, runtime] + arguments,
            directory: "/"
        )
        program.environment["XDG_RUNTIME_DIR"] = runtime
        program.environment["PATH"] = "/usr/sbin:/usr/bin:/bin"
        return try program.run()
    }

    private static func configuration(_ command: String) -> String {
        """
        {"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":["/bin/sh","-c","\(command)"],
        "env":["PATH=/bin"],"cwd":"/"},"root":{"path":"rootfs"},
        "mounts":[{"destination":"/proc","type":"proc","source":"proc"}],
        "linux":{"uidMappings":[{"containerID":0,"hostID":\(uid),"size":1}],
        "gidMappings":[{"containerID":0,"hostID":\(uid),"size":1}],
        "namespaces":[{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},{"type":"user"}]}}
        """
    }
}
