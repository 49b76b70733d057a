import Glibc
import Programs
import Testing

/// A machine that a real systemd runs: Debian's own, as the first process of a container that systemd-nspawn boots from a
/// folder with the host's /usr. Quell is the built binary, and runs inside as root, beside that systemd.
final class SystemdMachine: Sendable {
    /// The machine's first process, as the host numbers it.
    let first: Int32
    private let groups: TestCgroup
    private let quellPath: String

    /// Boots one with these files (below its root) and these units started, gives it to `body` and takes it away.
    static func with(_ files: [String: String], start units: String..., body: (SystemdMachine) throws -> Void) throws {
        let sandbox = try Sandbox.of()
        let room = try #require(sandbox.unified).subgroup("machines")
        let testkit = try Sandbox.testkitPath()
        let binaries = testkit.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
        let root = "\(sandbox.folder)/systemd"
        try SystemdMachine.make(root, files, units)
        let path = Program.find("systemd-nspawn") ?? "systemd-nspawn"
        let options =
            ["-q", "-D", root, "--bind-ro=/usr", "--bind-ro=\(binaries)", "--bind-ro=\(try swiftLibraries())"]
            + ["--register=no", "--keep-unit", "--private-network", "-M", sandbox.name, "--boot"]
        var program = Program(
            testkit,
            ["enter", room.path, "--", path] + options + ["systemd.unit=quell-test.target"]
        )
        program.environment["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] = "1"
        _ = try sandbox.start(program)
        let payload = TestCgroup(path: "\(room.path)/payload", hierarchy: .unified)
        defer {
            payload.thaw()
            _ = room.destroy()
            for name in ["init.scope", "supervisor", "payload", "machines", sandbox.name] {
                ContainerRoot.removeCgroups(name)
            }
        }
        var first: Int32?
        let isUp = eventually(within: .seconds(30)) {
            first = TestCgroup(path: "\(payload.path)/init.scope", hierarchy: .unified).processes.first
            return first != nil
        }
        try #require(isUp)
        let machine = SystemdMachine(first: try #require(first), groups: payload, quell: "\(binaries)/quell")
        let isBooted = eventually(within: .seconds(30)) { machine.state("quell-test.target") == "active" }
        try #require(isBooted)
        try body(machine)
    }

    private init(first: Int32, groups: TestCgroup, quell: String) {
        self.first = first
        self.groups = groups
        quellPath = quell
    }

    /// The host's /usr, nothing of its /etc: only what a systemd needs to start, the test's own units, and one user.
    private static func make(_ root: String, _ files: [String: String], _ units: [String]) throws {
        let script = """
            set -e
            mkdir -p "$0" && cd "$0"
            mkdir -p usr etc/systemd/system var/lib var/tmp run tmp proc sys dev root home/agent
            for name in bin sbin lib lib64; do ln -s usr/$name $name; done
            echo ID=quell-test >etc/os-release && : >etc/machine-id
            printf 'root:x:0:0::/root:/bin/sh\\nagent:x:1000:1000::/home/agent:/bin/sh\\n' >etc/passwd
            printf 'root:x:0:\\nagent:x:1000:\\n' >etc/group
            printf '[Unit]\\nRequires=\(units.joined(separator: " "))\\nAfter=\(units.joined(separator: " "))\\n' \
            >etc/systemd/system/quell-test.target
            """
        let made = try Program("/bin/sh", ["-c", script, root]).run()
        try #require(made.status == 0, "\(made.errorText)")
        for (path, text) in files {
            let folder = path.split(separator: "/").dropLast().joined(separator: "/")
            let folders = try Program("/bin/mkdir", ["-p", "\(root)/\(folder)"]).run()
            try #require(folders.status == 0 && Files.write(text, to: "\(root)/\(path)") == 0)
        }
        let owned = try Program("/bin/chown", ["-R", "1000:1000", "\(root)/home/agent"]).run()
        try #require(owned.status == 0)
    }

    /// Where the debug binary's libraries lie.
    private static func swiftLibraries() throws -> String {
        let maps = Files.text("/proc/self/maps") ?? ""
        let line = try #require(maps.split(separator: "\n").first { $0.hasSuffix("/libswiftCore.so") })
        let path = line[try #require(line.firstIndex(of: "/"))...]
        return path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
    }

    /// Runs a command inside, as root, in a group of its own.
    @discardableResult
    func run(_ command: String...) throws -> Program.Result { try run(command) }

    /// Runs Quell inside.
    func quell(_ arguments: String...) throws -> Program.Result { try run([quellPath] + arguments) }

    /// The same without waiting for its end.
    func start(_ command: String...) throws -> Child {
        try Sandbox.of().start(try program(command))
    }

    private func run(_ command: [String]) throws -> Program.Result { try program(command).run(within: .seconds(60)) }

    private func program(_ command: [String]) throws -> Program {
        let inside = ["nsenter", "-t", "\(first)", "-m", "-u", "-i", "-n", "-p", "-C", "--"] + command
        let room = groups.subgroup("responder")
        return Program(
            try Sandbox.testkitPath(),
            ["enter", room.path, "--", Program.find("nsenter") ?? "nsenter"] + inside.dropFirst(),
            environment: ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", "LC_ALL": "C.UTF-8"]
        )
    }

    /// What the manager says of a unit; empty when it does not answer.
    func property(_ name: String, of unit: String) -> String {
        let answer = try? run("/usr/bin/systemctl", "show", "--value", "-p", name, "--", unit)
        return answer?.text.split(separator: "\n").first.map(String.init) ?? ""
    }

    /// Whether a unit is active, as the manager says it.
    func state(_ unit: String) -> String { property("ActiveState", of: unit) }

    /// Who stands in the group at this path below the machine's root, as the host numbers them.
    func processes(at path: String) -> [Int32] {
        TestCgroup(path: groups.path + path, hierarchy: .unified).processes
    }

    /// Quell's drop-ins that stand now.
    func dropIns() -> [String] {
        let folder = "/proc/\(first)/root/run/systemd/system"
        return (Files.names(in: folder) ?? []).filter { $0.hasSuffix(".d") }.flatMap { name in
            (Files.names(in: "\(folder)/\(name)") ?? []).filter { $0.contains("quell") }
        }
    }
}
