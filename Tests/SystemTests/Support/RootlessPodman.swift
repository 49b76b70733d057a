import Base
import Programs

/// A real podman of a user without rights and without a cgroup, with storage and states below the folder of the test.
struct RootlessPodman {
    /// One that sleeps, and one that has ended with status 4.
    let living: String
    let dead: String
    /// For resolvers: the user stands in its etc/passwd.
    let root: BytePath

    /// Starts both, gives them to `body` and takes them away: what runs has the mark of the test.
    static func with(_ body: (RootlessPodman) throws -> Void) throws {
        let sandbox = try Sandbox.of()
        let image = try ContainerRoot(named: "image")
        let made = try run("/bin/sh", ["-c", RootlessPodman.script, sandbox.folder, image.path], sandbox.folder)
        guard made.status == 0 else { throw PodmanContainer.Problem(description: made.errorText + made.text) }
        let ids = made.text.split(separator: "\n").map(String.init).filter { $0.utf8.count == 64 }
        guard ids.count == 2 else { throw PodmanContainer.Problem(description: made.errorText + made.text) }
        try body(RootlessPodman(living: ids[1], dead: ids[0], root: BytePath(sandbox.folder)))
    }

    private static func run(
        _ path: String,
        _ arguments: [String],
        _ folder: String
    ) throws -> Programs.Program.Result {
        var program = Program("/usr/bin/unshare", ["-m", path] + arguments, directory: "/")
        program.environment["HOME"] = "\(folder)/home/agents"
        program.environment["XDG_RUNTIME_DIR"] = "\(folder)/run/user/\(RootlessContainer.uid)"
        program.environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
        program.environment["QUELL_TEST_SANDBOX"] = try Sandbox.of().name
        return try program.run(within: .seconds(60))
    }

    /// podman asks for the user's name: in a mount namespace of its own /etc/passwd has one. What it starts must not keep
    /// our pipes open.
    private static let script = """
        set -e
        cd "$0"
        mount --make-rprivate /
        chmod 711 "$0"
        mkdir -p etc home/agents "$XDG_RUNTIME_DIR"
        tar -C "$1" -cf image.tar .
        echo '\(RootlessContainer.user):x:\(RootlessContainer.uid):\(RootlessContainer.uid)::/home/agents:/bin/sh' >etc/passwd
        cat /etc/passwd etc/passwd >names
        echo '\(RootlessContainer.user):x:\(RootlessContainer.uid):' | cat /etc/group - >groups
        chown -R \(RootlessContainer.uid):\(RootlessContainer.uid) home/agents "$XDG_RUNTIME_DIR"
        chmod 644 names groups image.tar
        chmod 700 "$XDG_RUNTIME_DIR"
        mount --bind names /etc/passwd
        mount --bind groups /etc/group
        cat >asked <<'END'
        cd "$HOME"
        podman="podman --runtime runc --storage-driver vfs --cgroup-manager cgroupfs --events-backend file"
        run="run --network=none --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --log-driver k8s-file"
        $podman import -q "${0%/*}/image.tar" localhost/x:1 &&
        { $podman $run --name ended localhost/x:1 sh -c 'exit 4' || [ $? = 4 ]; } &&
        $podman inspect -f '{{.Id}}' ended &&
        $podman $run -d --name running localhost/x:1 sleep 1000
        END
        chmod 644 asked
        setpriv --reuid \(RootlessContainer.uid) --regid \(RootlessContainer.uid) --clear-groups \
            /bin/sh "$0/asked" >said 2>errors </dev/null || { cat errors >&2; exit 1; }
        cat said
        """
}
