import Base
import Glibc
import Kernel
import Programs

/// A real gVisor sandbox of Debian's runsc, on the ptrace platform, with busybox inside and its state below the folder of
/// the test: `run/runsc`, where a resolver with that root looks.
final class GVisorContainer: Sendable {
    let id: String
    /// For resolvers and policies.
    let root: BytePath
    /// The pids that the state names.
    let sentry: Int32
    let gofer: Int32
    private let states: String

    struct Problem: Error, CustomStringConvertible { let description: String }

    /// How its network is made.
    enum Network {
        case none
        /// A namespace with a veth; runsc's own network stack sends frames by a packet socket.
        case veth(VethPair)
        /// The host's own.
        case host
    }

    /// Starts a sandbox, gives it to `body` and takes it away, whatever happens.
    static func with<Result>(
        _ command: String,
        network: Network = .none,
        flags: [String] = [],
        body: (GVisorContainer) throws -> Result
    ) throws -> Result {
        let sandbox = try Sandbox.of()
        let states = "\(sandbox.folder)/run/runsc"
        let id = "\(sandbox.name)-gv"
        defer { remove(id, states) }
        try start(id, command, network, flags, states, sandbox.folder)
        let container = try GVisorContainer(id, states, BytePath(sandbox.folder))
        try container.awaitStubs()
        return try body(container)
    }

    private init(_ id: String, _ states: String, _ root: BytePath) throws {
        self.id = id
        self.states = states
        self.root = root
        guard let text = Files.text("\(states)/\(id)_sandbox:\(id).state"),
            let sentry = GVisorContainer.number("pid", in: text),
            let gofer = GVisorContainer.number("goferPid", in: text)
        else { throw Problem(description: "no state of runsc's") }
        self.sentry = sentry
        self.gofer = gofer
    }

    /// The sentry makes its stubs as the guest starts: waits until it has three and makes no more.
    private func awaitStubs() throws {
        let host = try Host()
        var before: [Int32] = []
        let isSettled = eventually(within: .seconds(20)) {
            let now = processes(on: host)
            defer { before = now }
            guard now.count >= 5, now == before else {
                usleep(300_000)
                return false
            }
            return true
        }
        guard isSettled else { throw Problem(description: "the sandbox does not settle") }
    }

    private static func number(_ key: String, in text: String) -> Int32? {
        guard let found = text.firstRange(of: "\"\(key)\":") else { return nil }
        return Int32(text[found.upperBound...].prefix { $0.isNumber })
    }

    private static func start(
        _ id: String,
        _ command: String,
        _ network: Network,
        _ flags: [String],
        _ states: String,
        _ folder: String
    ) throws {
        var place = ""
        var kind = "none"
        switch network {
        case .none: break
        case .host: kind = "host"
        case .veth(let pair):
            kind = "sandbox"
            place = ", {\"type\": \"network\", \"path\": \"/var/run/netns/\(pair.namespace)\"}"
        }
        // This version of runsc takes a namespace for the host's own when it sees files below /proc/sys/net/core, which
        // newer kernels show everywhere: it gets a view of /proc/sys without them, in a mount namespace of its own.
        let script = """
            set -e
            mkdir -p "$1" "$0/gv/rootfs/bin" "$0/gv/sys"
            cp \(PodmanContainer.busybox) "$0/gv/rootfs/bin/busybox"
            cd "$0/gv"
            cat >config.json <<'END'
            {"ociVersion": "1.0.0", "root": {"path": "rootfs"}, "hostname": "gv",
             "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"],
              "args": ["/bin/busybox", "sh", "-c", "\(command)"]},
             "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
             "linux": {"cgroupsPath": "/\(id)", "namespaces": [{"type": "pid"}, {"type": "mount"}\(place)]}}
            END
            mount -t tmpfs tmpfs sys
            for part in vm kernel fs; do mkdir sys/$part; mount --bind /proc/sys/$part sys/$part; done
            mount --rbind sys /proc/sys
            exec timeout 30 runsc --root="$1" --platform=ptrace --network=\(kind) \(flags.joined(separator: " ")) \
            run -detach -bundle . \(id) </dev/null >out 2>err
            """
        let made = try Program("/usr/bin/unshare", ["-m", "/bin/sh", "-c", script, folder, states]).run()
        guard made.status == 0 else {
            throw Problem(description: "runsc: \(made.errorText) \(Files.text("\(folder)/gv/err") ?? "")")
        }
    }

    /// Its processes now: the sentry with everything below it, and the gofer.
    func processes(on host: Host) -> [Int32] {
        let scanner = ProcessScanner(host)
        var found: Set<Int32> = []
        for pid in [sentry, gofer] where scanner.stat(of: pid)?.isZombie == false { found.insert(pid) }
        var grows = true
        while grows {
            let below = ((try? scanner.pids()) ?? []).filter { pid in
                !found.contains(pid) && scanner.stat(of: pid).map { found.contains($0.parent) } ?? false
            }
            grows = !below.isEmpty
            found.formUnion(below)
        }
        return found.sorted()
    }

    private static func remove(_ id: String, _ states: String) {
        let text = Files.text("\(states)/\(id)_sandbox:\(id).state") ?? ""
        for key in ["pid", "goferPid"] {
            guard let pid = number(key, in: text), pid > 1,
                let name = Files.text("/proc/\(pid)/comm"), name.hasPrefix("exe")
            else { continue }
            kill(pid, SIGCONT)
            kill(pid, SIGKILL)
        }
        _ = try? Program("/usr/bin/timeout", ["20", "runsc", "--root=\(states)", "delete", "--force", id]).run()
        for mount in Files.names(in: "/sys/fs/cgroup") ?? [] {
            _ = eventually(within: .seconds(3)) {
                rmdir("/sys/fs/cgroup/\(mount)/\(id)") == 0 || errno == ENOENT || errno == ENOTDIR
            }
        }
    }
}

/// A network namespace with a veth whose other end is in the test's own namespace.
final class VethPair: Sendable {
    let namespace: String
    /// The end in the test's own namespace.
    let link: String
    /// The host's end, IPv4 and IPv6.
    let addresses: [String]

    /// Makes one, gives it to `body` and takes it away.
    static func with<Result>(_ body: (VethPair) throws -> Result) throws -> Result {
        let pair = try VethPair(try Sandbox.of().name)
        defer { pair.remove() }
        try pair.make()
        return try body(pair)
    }

    private init(_ name: String) throws {
        namespace = name
        let number = Int(getpid()) % 200
        link = "qv\(getpid())"
        addresses = ["10.251.\(number).1", "fd00:251:\(number)::1"]
    }

    private func make() throws {
        let (four, six) = (addresses[0].dropLast(), addresses[1].dropLast())
        let script = """
            set -e
            ip netns add \(namespace)
            ip link add \(link) type veth peer name eth0 netns \(namespace)
            ip addr add \(four)1/30 dev \(link)
            ip addr add \(six)1/64 dev \(link) nodad
            ip link set \(link) up
            ip -n \(namespace) addr add \(four)2/30 dev eth0
            ip -n \(namespace) addr add \(six)2/64 dev eth0 nodad
            ip -n \(namespace) link set lo up
            ip -n \(namespace) link set eth0 up
            ip -n \(namespace) route add default via \(four)1
            ip -n \(namespace) route add default via \(six)1
            """
        let made = try Program("/bin/sh", ["-c", script]).run()
        guard made.status == 0 else { throw GVisorContainer.Problem(description: "veth: \(made.errorText)") }
    }

    private func remove() {
        _ = try? Program("/bin/sh", ["-c", "ip link del \(link); ip netns del \(namespace)"]).run()
    }
}
