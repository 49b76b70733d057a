import Base
import Kernel
import Testing

@testable import Sessions

@Suite("Sandboxes that keep no state")
struct SandboxTests {
    private let inside = 4_026_532_500

    /// A launcher 200 in the host's pid namespace, its first process 201 inside and the command 202, beside a stranger.
    private func machine(_ launcher: String, _ inner: String) throws -> RecordedMachine {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 10, name: "bash")
        try machine.process(150, parent: 100, start: 15, name: "vim")
        try machine.process(200, parent: 100, start: 20, session: 100, name: launcher)
        try machine.process(201, parent: 200, start: 21, session: 100, name: inner, pidNamespace: inside)
        try machine.process(202, parent: 201, start: 22, name: "node", pidNamespace: inside)
        return machine
    }

    private func resolve(_ pid: Int32, _ machine: RecordedMachine) throws -> Session {
        try SessionResolver(host: try machine.host()).resolve(.pid(pid))
    }

    @Test(
        "the outer process, the first one inside and any member lead to the same session",
        arguments: [
            ("bwrap", "bwrap", SessionRuntime.Kind.bubblewrap), ("firejail", "firejail", .firejail),
            ("nsjail", "node", .nsjail), ("systemd-nspawn", "(sd-stubinit)", .nspawn),
        ]
    )
    func same(launcher: String, inner: String, kind: SessionRuntime.Kind) throws {
        let machine = try machine(launcher, inner)
        // One that was brought in from outside belongs, too.
        try machine.process(300, parent: 1, start: 30, name: "sh", pidNamespace: inside)
        for pid in [200, 201, 202, 300] as [Int32] {
            let session = try resolve(pid, machine)
            #expect(session.leader?.pin.pid == 200, "pid:\(pid)")
            #expect(session.members.map(\.pin.pid) == [200, 201, 202, 300], "pid:\(pid)")
            #expect(session.runtime == kind && session.pin.cgroups.isEmpty && session.guests.isEmpty)
        }
    }

    @Test("a launcher with several sandboxes is none's leader: each is a session of its own")
    func listening() throws {
        let machine = try machine("nsjail", "node")
        try machine.process(400, parent: 200, start: 40, name: "node", pidNamespace: inside + 1)
        let session = try resolve(202, machine)
        #expect(session.leader?.pin.pid == 201 && session.members.map(\.pin.pid) == [201, 202])
        #expect(session.runtime == .process)
        #expect(try resolve(200, machine).members.map(\.pin.pid) == [200, 201, 202, 400])
    }

    @Test("a shell that waits for a private pid namespace is not of it")
    func shell() throws {
        let session = try resolve(202, try machine("unshare", "node"))
        #expect(session.leader?.pin.pid == 201 && session.members.map(\.pin.pid) == [201, 202])
    }

    @Test("a process of the session that calls itself like a launcher takes nothing with it")
    func pretender() throws {
        let machine = try machine("sh", "node")
        try machine.process(203, parent: 202, start: 23, name: "bwrap", pidNamespace: inside)
        let session = try resolve(203, machine)
        #expect(session.leader?.pin.pid == 201 && session.members.map(\.pin.pid) == [201, 202, 203])
    }

    private func process(
        _ pid: Int32,
        parent: Int32 = 1,
        _ program: String = "/bin/sh",
        _ arguments: [String] = [],
        v2: String = "/user.slice/session-1.scope"
    ) -> OverviewProcess {
        OverviewProcess(
            pin: ProcessPin(pid: pid, startTicks: UInt64(pid)),
            parent: parent,
            name: BytePath("x"),
            started: Instant(nanoseconds: 0),
            executable: BytePath(program),
            arguments: arguments.map { BytePath($0) },
            cgroups: [CgroupLine(hierarchy: "v2", path: BytePath(v2))],
            session: 10
        )
    }

    @Test("the list shows a sandbox apart from the login that it was started in")
    func listed() {
        let all = [
            process(10), process(11, parent: 10), process(20, parent: 10, "/usr/bin/bwrap"),
            process(21, parent: 20, "/usr/bin/bwrap"), process(22, parent: 21),
            process(30, parent: 10, "/usr/bin/firejail"), process(31, parent: 30, "/usr/bin/claude"),
        ]
        let groups = SessionSorting(all, .empty).groups
        #expect(groups.map(\.leader.pin.pid) == [10, 20, 30])
        #expect(groups.map(\.runtime.kind) == [.scope, .bubblewrap, .firejail])
        #expect(groups.map(\.members.count) == [2, 3, 2])
        #expect(groups[1].runtime.cgroup.path == BytePath("/user.slice/session-1.scope"))
        #expect(groups[1].runtime.name == nil)
        #expect(groups[2].signs == [.executable("claude-code")])
    }

    @Test("a sandbox for a tool is of the agent that started it; one around another is of the outer one")
    func nested() {
        let all = [
            process(10, "/usr/bin/claude", v2: "/"), process(20, parent: 10, "/usr/bin/bwrap", v2: "/"),
            process(21, parent: 20, v2: "/"), process(30, "/usr/bin/firejail", v2: "/"),
            process(31, parent: 30, "/usr/bin/bwrap", v2: "/"), process(32, parent: 31, "/usr/bin/codex", v2: "/"),
        ]
        let groups = SessionSorting(all, .empty).groups
        #expect(groups.map(\.leader.pin.pid) == [10, 30])
        #expect(groups.map(\.runtime.kind) == [.process, .firejail])
        #expect(groups.map(\.members.count) == [3, 3])
    }

    @Test("nsjail and Firecracker are listed by their documented layouts")
    func documented() {
        let all = [
            process(20, "/usr/bin/nsjail", v2: "/"), process(21, parent: 20, v2: "/NSJAIL.21"),
            process(30, "/usr/bin/nsjail", v2: "/x"), process(31, parent: 30, v2: "/x"),
            process(40, "/firecracker", v2: "/firecracker/551e7604-e35c"), process(50, "/firecracker", v2: "/"),
        ]
        let groups = SessionSorting(all, .empty).groups
        #expect(groups.map(\.leader.pin.pid) == [20, 21, 30, 40, 50])
        #expect(groups.map(\.runtime.kind) == [.nsjail, .nsjail, .nsjail, .firecracker, .firecracker])
        #expect(groups.map(\.runtime.name) == [nil, BytePath("NSJAIL.21"), nil, BytePath("551e7604-e35c"), nil])
        #expect(groups.map(\.members.count) == [1, 1, 2, 1, 1])
    }
}
