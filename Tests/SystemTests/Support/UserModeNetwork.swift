import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

/// A program that carries the network of a namespace from outside of it, as rootless podman starts it.
enum UserModeProgram: String, CaseIterable, Sendable {
    case slirp4netns
    case pasta

    /// Its words, for the namespace of a process.
    func command(for pid: Int32) -> String {
        switch self {
        case .slirp4netns: "slirp4netns -c -6 --enable-sandbox --enable-seccomp \(pid) tap0"
        case .pasta: "pasta -f --config-net --no-map-gw \(pid)"
        }
    }
}

/// A session of an unprivileged user with a network namespace of its own, and a real program that carries its network by
/// sockets in another one, which a veth leads out of; each in a cgroup of its own.
final class UserModeScene {
    let host: Host
    let sandbox: Sandbox
    let pair: VethPair
    let group: Cgroup
    let leader: ProcessPin
    let carrier: ProcessPin
    private(set) var effects: [ContainmentEffect] = []

    /// Nobody's number.
    private static let user = 65534

    /// `deed` is what the session does in a loop: `$0` stands for the testkit.
    init(_ program: UserModeProgram, in pair: VethPair, doing deed: String) throws {
        self.pair = pair
        sandbox = try Sandbox.of()
        host = try Host()
        let unified = try #require(sandbox.unified)
        let inside = unified.subgroup("session")
        let outside = unified.subgroup("carrier")
        chmod(sandbox.folder, 0o755)
        let testkit = try sandbox.copy(try Sandbox.testkitPath(), as: "testkit")
        let drop = "setpriv --reuid=\(Self.user) --regid=\(Self.user) --clear-groups"
        let member = try sandbox.start(
            Program(
                try Sandbox.testkitPath(),
                ["enter", inside.path, "--", "/bin/sh", "-c"]
                    + [
                        "exec \(drop) unshare -Urn /bin/sh -c 'echo ready; while :; do \(deed); sleep 0.1; done' \(testkit)"
                    ]
            )
        )
        _ = try member.line { $0 == "ready" }
        let helper = try sandbox.start(
            Program(
                try Sandbox.testkitPath(),
                ["enter", outside.path, "--", "/usr/bin/nsenter", "--net=/var/run/netns/\(pair.namespace)"]
                    + ["/usr/bin/unshare", "-m", "/bin/sh", "-c", UserModeScene.openTap]
                    + [sandbox.folder, "exec \(drop) \(program.command(for: member.id))"]
            )
        )
        group = try Cgroup(BytePath("/\(sandbox.name)/session"), in: try #require(host.unified))
        leader = try ProcessDirectory(member.id, on: host).stat().pin
        // Whatever it executes on its way, it stays the same process.
        carrier = try ProcessDirectory(helper.id, on: host).stat().pin
    }

    /// Everybody may open the device here, as Debian has it; in a mount namespace of its own.
    private static let openTap = """
        set -e
        mkdir "$0/dev"
        mount -t tmpfs tmpfs "$0/dev"
        mknod -m 666 "$0/dev/tun" c 10 200
        mount --bind "$0/dev/tun" /dev/net/tun
        eval "$1"
        """

    var subject: Subject { Subject(pin: SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: leader)) }

    func isolate(after frozen: FreezeResult?, allowing allowed: AllowList = AllowList()) throws -> IsolationResult {
        try Isolator(host).isolate(
            IsolationScope(groups: [group.pin]),
            leader: leader,
            IsolationPolicy(allowed: allowed),
            after: EarlierCut(drops: frozen?.cut?.drops ?? [], frozen: frozen?.groups.map(\.group) ?? []),
            by: Deadline(after: .seconds(20)),
            apply: record
        )
    }

    func release(_ result: IsolationResult) throws -> ReleaseResult {
        try Cut.release(
            result.cut.drops,
            result.tables.tables + result.links.tables,
            carriers: effects.filter { $0.held(as: .carrier) != nil },
            on: host,
            apply: record
        )
    }

    /// Those of a process that are on record.
    func sockets(heldBy process: ProcessPin) -> [SessionSocket] {
        var found: [SessionSocket] = []
        for case .recordSockets(let some) in effects { found += some.filter { $0.holders.contains(process) } }
        return found
    }

    func record(_ batch: [ContainmentEffect], _ act: () throws(Failure) -> Void) throws(Failure) {
        try act()
        effects += batch
    }

    deinit { Holds.remove(effects, on: host) }
}

/// What others could see of a cut: every rule of nftables in some namespaces, and every program on groups.
struct NetworkState: Equatable {
    private let rules: [String]
    private let programs: [String]

    /// In the namespaces of these processes, and on these groups with everything below.
    init(of pids: [pid_t], _ groups: [Cgroup]) throws {
        rules = try pids.map { pid in
            let words = ["-t", "\(pid)", "-n", "/usr/sbin/nft", "-a", "list", "ruleset"]
            let result = try Program("/usr/bin/nsenter", words).run()
            guard result.status == 0 else { throw GVisorContainer.Problem(description: result.errorText) }
            return result.text
        }
        var found: [String] = []
        for group in groups {
            try group.forEachInTree { below throws(Failure) in
                for direction in PacketDirection.allCases {
                    for program in try DropProgram.attached(to: below, direction) {
                        found.append("\(below.path) \(direction.rawValue) \(program)")
                    }
                }
            }
        }
        programs = found
    }
}
