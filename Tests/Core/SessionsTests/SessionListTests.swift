import Base
import Glibc
import Kernel
import Testing

@testable import Sessions

@Suite("the list of sessions")
struct SessionListTests {
    private func process(
        _ pid: Int32,
        parent: Int32 = 1,
        _ arguments: [String] = [],
        v2: String = "/",
        sockets: [UInt64] = [],
        session: Int32? = nil,
        resident: UInt64 = 1000
    ) -> OverviewProcess {
        OverviewProcess(
            pin: ProcessPin(pid: pid, startTicks: UInt64(pid)),
            parent: parent,
            name: BytePath("p\(pid)"),
            started: Instant(nanoseconds: Int64(pid)),
            uid: 1000,
            arguments: arguments.map { BytePath($0) },
            cgroups: [CgroupLine(hierarchy: "v2", path: BytePath(v2))],
            links: sockets.map { BytePath("socket:[\($0)]") },
            session: session,
            residentBytes: resident
        )
    }

    private func socket(_ inode: UInt64, to remote: String, sent: UInt64 = 0) throws -> InetSocket {
        InetSocket(
            transport: .tcp,
            state: .established,
            local: try #require(Endpoint("10.0.0.2:40000")),
            remote: try #require(Endpoint(remote)),
            uid: 1000,
            inode: inode,
            cookie: inode,
            counters: TCPCounters(bytesSent: sent, bytesAcknowledged: sent, bytesReceived: 7)
        )
    }

    private func list(
        _ processes: [OverviewProcess],
        sockets: [InetSocket] = [],
        files: [ProcessPin: [FileHolding]] = [:],
        inventory: Inventory = .empty,
        runc: [ProcessPin: String] = [:],
        asking question: SessionQuestion = SessionQuestion()
    ) -> SessionList {
        let known = runc.mapValues {
            let place = BytePath("/sys/fs/cgroup/agents/a7")
            return SessionSorting.KnownContainer(kind: .runc, id: BytePath($0), cgroups: [place])
        }
        let groups = SessionSorting(processes, inventory, containers: known).groups
        return SessionList(
            groups,
            processes,
            sockets: sockets,
            files: files,
            inventory: inventory,
            asking: question
        ) { members, _ in MemoryUse(bytes: members.reduce(0) { $0 + $1.residentBytes }, source: .resident) }
    }

    @Test("containers, cgroups and agents are listed, plain processes only counted")
    func kinds() {
        let id = String(repeating: "0a", count: 32)
        let all = [
            process(1, parent: 0), process(10), process(11, parent: 10, session: 10),
            process(20, v2: "/libpod_parent/libpod-\(id)"),
            process(21, parent: 20, ["claude"], v2: "/libpod_parent/libpod-\(id)"),
            process(30, v2: "/agents/a7"), process(31, v2: "/agents/a7/sub"),
            process(40, parent: 10, ["codex"]), process(41, parent: 40, session: 40),
            process(50, v2: "/user.slice/session-1.scope"),
            process(51, parent: 50, ["claude"], v2: "/user.slice/session-1.scope"),
            process(60, ["goose"], v2: "/own"),
        ]
        let found = list(all)
        #expect(found.sessions.map(\.leader.pid) == [20, 40, 51, 60, 30, 50])
        #expect(found.sessions.map(\.runtime.kind) == [.podman, .process, .process, .cgroup, .cgroup, .scope])
        #expect(found.sessions.map(\.agent) == ["claude-code", "codex", "claude-code", "goose", nil, nil])
        #expect(found.sessions.map(\.processes) == [2, 2, 1, 1, 2, 1])
        #expect(found.sessions.map(\.memory.bytes) == [2000, 2000, 1000, 1000, 2000, 1000])
        // An agent in a login's scope with others is a process there; alone in a cgroup, the cgroup is its own.
        #expect(found.sessions[2].runtime.cgroup.path == BytePath("/user.slice/session-1.scope"))
        #expect(found.plainProcesses == 3)
        let whole = list(all, asking: SessionQuestion(includesPlain: true))
        #expect(whole.plainProcesses == 0)
        #expect(whole.sessions.first { $0.leader.pid == 10 }?.processes == 2)
    }

    @Test("a process is with the topmost one above it that is in its setsid session")
    func plain() {
        let found = list(
            [
                process(1, parent: 0), process(10), process(11, parent: 10), process(12, parent: 11, session: 11),
                process(13, parent: 12, session: 11), process(14, parent: 1, session: 11),
            ],
            asking: SessionQuestion(includesPlain: true)
        )
        #expect(found.sessions.map(\.leader.pid) == [1, 10, 11, 14])
        #expect(found.sessions.map(\.processes) == [1, 1, 3, 1])
    }

    @Test("runc's container is one by its first process; another start time is another process")
    func runc() {
        let all = [process(30, v2: "/web"), process(31, parent: 30, v2: "/web")]
        let known = list(all, runc: [ProcessPin(pid: 30, startTicks: 30): "web-1"])
        #expect(known.sessions.map(\.runtime.kind) == [.runc])
        #expect(known.sessions.first?.runtime.name == BytePath("web-1"))
        let reused = list(all, runc: [ProcessPin(pid: 30, startTicks: 29): "web-1"])
        #expect(reused.sessions.map(\.runtime.kind) == [.cgroup])
    }

    @Test("only the session that has the connection answers, whatever the form of the address")
    func connection() throws {
        let sockets = [
            try socket(100, to: "192.0.2.1:443", sent: 5), try socket(101, to: "[::ffff:192.0.2.1]:8443"),
            try socket(102, to: "[2001:db8::1]:443"),
        ]
        let all = [
            process(20, sockets: [100]), process(21, parent: 20, sockets: [100, 102], session: 20),
            process(30, v2: "/a", sockets: [101]),
        ]
        func asking(_ text: String) throws -> [Int32] {
            let peer = try SoughtPeer(parsing: text)
            return list(all, sockets: sockets, asking: SessionQuestion(peer: peer)).sessions.map(\.leader.pid)
        }
        #expect(try asking("192.0.2.1") == [20, 30])
        #expect(try asking("192.0.2.1:443") == [20])
        #expect(try asking("::ffff:192.0.2.1") == [20, 30])
        #expect(try asking("2001:db8::1") == [20])
        #expect(try asking("[2001:db8::1]:443") == [20])
        #expect(try asking("[2001:db8::1]:444") == [])
        #expect(try asking("192.0.2.2") == [])
        let peer = try SoughtPeer(parsing: "192.0.2.1:443")
        let only = try #require(list(all, sockets: sockets, asking: SessionQuestion(peer: peer)).sessions.first)
        #expect(only.matches.map(\.process.pid) == [20, 21])
        #expect(only.matches.allSatisfy { $0.connection?.inode == 100 })
        #expect(only.bytesSent == 5 && only.connections == 2)
    }

    @Test(
        "what is no address is refused with the forms",
        arguments: ["", "localhost.x", "1.2.3", "1.2.3.4:0", "[::1", "x:1"]
    )
    func noAddress(text: String) {
        #expect { try SoughtPeer(parsing: text) } throws: { ($0 as? Failure)?.code == .usage }
    }

    @Test("both questions at once are answered by a session that answers both")
    func both() throws {
        let all = [process(20, sockets: [100]), process(30, sockets: [100])]
        let question = SessionQuestion(
            peer: try SoughtPeer(parsing: "192.0.2.1"),
            file: SoughtFile(path: BytePath("/x"), identity: nil)
        )
        let files = [all[1].pin: [FileHolding(.mapping)]]
        let found = list(all, sockets: [try socket(100, to: "192.0.2.1:1")], files: files, asking: question)
        #expect(found.sessions.map(\.leader.pid) == [30])
        #expect(found.sessions.first?.matches.count == 2)
    }

    @Test("RT14 the locator is a number or a name of the inventory, never what the session chose")
    func locator() {
        let inventory = Inventory(agents: [AgentRecord(name: "a7", locator: .cgroup(BytePath("/$(id)")))])
        let found = list([process(20, v2: "/$(id)"), process(30, v2: "/`id`\n")], inventory: inventory)
        #expect(found.sessions.map { "\($0.locator)" } == ["agent:a7", "pid:30"])
    }

    @Test("memory is a cgroup's only when nobody else stands there")
    func memory() {
        let all = [
            process(20, v2: "/a"), process(21, v2: "/a/b"), process(30, v2: "/c"), process(31, v2: "/c"), process(40),
        ]
        #expect(MemoryAccounts.ownPath(of: [all[0], all[1]], among: all, in: "v2") == BytePath("/a"))
        #expect(MemoryAccounts.ownPath(of: [all[1]], among: all, in: "v2") == BytePath("/a/b"))
        #expect(MemoryAccounts.ownPath(of: [all[2]], among: all, in: "v2") == nil)
        #expect(MemoryAccounts.ownPath(of: [all[4]], among: all, in: "v2") == nil)
        #expect(MemoryAccounts.ownPath(of: [all[0], all[2], all[3]], among: all, in: "v2") == nil)
    }

    @Test("a recorded machine: v2's figure, else v1's, else the sum of the processes")
    func recorded() throws {
        let machine = try RecordedMachine()
        for (pid, group) in [(70, "/a"), (71, "/b"), (72, "/c")] as [(Int32, String)] {
            try machine.process(pid, parent: 1, start: UInt64(pid), name: "node", v2: group)
            try machine.write("proc/\(pid)/cgroup", "5:memory:\(group)\n4:freezer:/\n0::\(group)\n")
            try machine.write("proc/\(pid)/status", "Uid:\t7\t7\t7\t7\nVmRSS:\t    \(pid) kB\n")
            try machine.write("proc/\(pid)/cmdline", "x\u{0}")
            mkdir("\(machine.root)/proc/\(pid)/fd", 0o755)
        }
        try machine.write("proc/1/cmdline", "init\u{0}")
        mkdir("\(machine.root)/proc/1/fd", 0o755)
        try machine.write("cgroup/unified/a/memory.current", "4096\n")
        for group in ["a", "b"] {
            mkdir("\(machine.root)/cgroup/memory", 0o755)
            mkdir("\(machine.root)/cgroup/memory/\(group)", 0o755)
            try machine.write("cgroup/memory/\(group)/memory.usage_in_bytes", "8192\n")
        }
        let found = try SessionList.look(
            at: machine.host(),
            root: BytePath(machine.root),
            by: Deadline(after: .seconds(5))
        )
        #expect(found.failures == [])
        #expect(found.sessions.map(\.leader.pid) == [70, 71, 72])
        #expect(
            found.sessions.map(\.memory) == [
                MemoryUse(bytes: 4096, source: .current), MemoryUse(bytes: 8192, source: .usage),
                MemoryUse(bytes: 72 * 1024, source: .resident),
            ]
        )
        #expect(found.sessions.map(\.uid) == [7, 7, 7])
    }
}
