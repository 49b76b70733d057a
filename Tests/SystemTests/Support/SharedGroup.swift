import Base
import Kernel
import Programs
import Sessions
import Testing

/// Somebody else's cgroup, as a login has one, with a shell, a process that burns the CPU and one that sleeps in it; and
/// a session that was started there.
struct SharedGroup {
    /// The processes of the session, the first one first.
    let session: [Int32]
    /// Those by which the session is named.
    let named: [Int32]
    /// The process of the session that runs without end.
    let busy: Int32
    /// Processes that stand in the same cgroup and have nothing to do with it.
    let bystanders: [Int32]
    /// The one of them that runs without end.
    let busyBystander: Int32
    /// The cgroup of both in v2.
    let home: TestCgroup
}

/// What starts a session in somebody else's cgroup.
enum SharedRuntime: String, CaseIterable, Sendable {
    case bubblewrap, firejail, login, tmux
    /// The same by a user without rights, in a user namespace.
    case userBubblewrap
    /// `unshare` under the name of nsjail, which Debian has not: it leaves the same processes as nsjail's `-Mo`.
    case nsjailStandIn

    /// The package's program.
    var program: String {
        switch self {
        case .bubblewrap, .userBubblewrap: "bwrap"
        case .login: "sh"
        case .nsjailStandIn: "unshare"
        case .firejail, .tmux: rawValue
        }
    }

    /// What Quell calls it.
    var kind: SessionRuntime.Kind {
        switch self {
        case .bubblewrap, .userBubblewrap: .bubblewrap
        case .firejail: .firejail
        case .nsjailStandIn: .nsjail
        case .login, .tmux: .process
        }
    }

    /// Starts a session beside bystanders and gives both to `body`; the sandbox of the test takes all of it away.
    func with(_ body: (SharedGroup) throws -> Void) throws {
        let mounts = FirejailMounts()
        defer { mounts.restore() }
        let sandbox = try Sandbox.of()
        let rooms = [sandbox.unified, sandbox.freezer].compactMap { $0?.subgroup("session-7.scope") }
        func start(_ command: [String]) throws -> Child {
            let enter = ["enter"] + rooms.map(\.path) + ["--"] + command
            return try sandbox.start(Program(try Sandbox.testkitPath(), enter))
        }
        let home = try #require(rooms.first)
        let beside = try start(["/bin/sh", "-c", Conformance.work]).id
        let bystanders = try SharedRuntime.settled(beside, count: 3)
        let first = try first(start, sandbox)
        let session = try SharedRuntime.settled(first, count: size)
        try body(
            SharedGroup(
                session: session.map(\.pid),
                named: [first, try #require(session.last).pid],
                busy: try SharedRuntime.busy(session),
                bystanders: bystanders.map(\.pid),
                busyBystander: try SharedRuntime.busy(bystanders),
                home: home
            )
        )
    }

    /// Who runs it.
    var user: UInt32 { self == .userBubblewrap ? 65_534 : 0 }

    /// How many processes a session has: three of the work, and those of the program around it.
    private var size: Int {
        switch self {
        case .bubblewrap, .userBubblewrap, .firejail: 5
        case .nsjailStandIn: 4
        case .login, .tmux: 3
        }
    }

    /// Starts it; gives its first process.
    private func first(_ start: ([String]) throws -> Child, _ sandbox: Sandbox) throws -> Int32 {
        let path = try #require(Program.find(program))
        let work = ["/bin/sh", "-c", Conformance.work]
        switch self {
        case .bubblewrap, .userBubblewrap:
            let view = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all"]
            let drop = [try #require(Program.find("setpriv")), "--reuid=\(user)", "--regid=\(user)", "--clear-groups"]
            return try start((user == 0 ? [] : drop) + [path] + view + work).id
        case .firejail: return try start([path, "--noprofile", "--net=none", "--private", "--quiet"] + work).id
        case .login: return try start([path, "-c", Conformance.work]).id
        case .nsjailStandIn:
            let standIn = try sandbox.copy(path, as: "nsjail")
            return try start([standIn, "--pid", "--fork", "--mount", "--net"] + work).id
        case .tmux:
            let server = [path, "-f", "/dev/null", "-S", "\(sandbox.folder)/tmux"]
            _ = try start(server + ["new-session", "-d", "-s", "beside", "sleep 1000"]).finish()
            _ = try start(server + ["new-session", "-d", "-s", "agent"] + work).finish()
            let panes = try start(server + ["list-panes", "-t", "agent", "-F", "#{pane_pid}"]).finish()
            return try #require(Int32(panes.text.split(separator: "\n").first ?? ""))
        }
    }

    /// The processes below and at `top` as soon as the work has begun.
    private static func settled(_ top: Int32, count: Int) throws -> [ProcessStat] {
        let host = try Host()
        var found: [ProcessStat] = []
        let isReady = eventually(within: .seconds(20)) {
            found = Conformance.tree(of: top, host)
            return found.count == count && found.contains { $0.name == BytePath("sleep") }
        }
        try #require(isReady, "\(found.map(\.name))")
        return found
    }

    /// The child of the shell that is no `sleep`.
    private static func busy(_ processes: [ProcessStat]) throws -> Int32 {
        let sleep = try #require(processes.first { $0.name == BytePath("sleep") })
        let parent = sleep.numbers.parent
        return try #require(processes.first { $0.numbers.parent == parent && $0.pid != sleep.pid }).pid
    }
}

/// firejail leaves mounts below /run/firejail behind: those that were not there before are taken away.
private struct FirejailMounts {
    private let before = FirejailMounts.current()

    func restore() {
        for path in FirejailMounts.current().subtracting(before) {
            if let umount = Program.find("umount") { _ = try? Program(umount, [path]).run() }
        }
    }

    private static func current() -> Set<String> {
        let lines = (Files.text("/proc/self/mountinfo") ?? "").split(separator: "\n")
        return Set(lines.compactMap { $0.split(separator: " ").dropFirst(4).first.map(String.init) })
            .filter { $0.hasPrefix("/run/firejail/") }
    }
}
