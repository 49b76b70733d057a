import Base
import Glibc
import Kernel
import Testing

@testable import Sessions

@Suite("Overview")
struct OverviewTests {
    private func process(
        _ pid: Int32,
        parent: Int32 = 1,
        executable: String? = nil,
        _ arguments: [String] = [],
        cgroup: String = "/",
        links: [String] = []
    ) -> OverviewProcess {
        OverviewProcess(
            pin: ProcessPin(pid: pid, startTicks: UInt64(pid)),
            parent: parent,
            name: BytePath("p\(pid)"),
            started: Instant(nanoseconds: Int64(pid)),
            uid: 1000,
            executable: executable.map { BytePath($0) },
            arguments: arguments.map { BytePath($0) },
            cgroups: [CgroupLine(hierarchy: "v2", path: BytePath(cgroup))],
            links: links.map { BytePath($0) }
        )
    }

    private func socket(_ inode: UInt64, to remote: String, sent: UInt64) throws -> InetSocket {
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

    @Test(
        "an agent is known by its program, its package or the script of its interpreter",
        arguments: [
            (["claude"], "claude-code"), (["/usr/local/bin/claude", "-p"], "claude-code"),
            (["node", "/usr/lib/node_modules/@openai/codex/bin/run.js"], "codex"),
            (["node", "--max-old-space-size=4096", "/opt/gemini.js"], "gemini-cli"),
            (["/usr/bin/python3.11", "-m", "aider"], "aider"), (["/usr/bin/env", "goose", "session"], "goose"),
            (["/bin/sh", "/home/u/.local/bin/cursor-agent"], "cursor-agent"),
        ]
    )
    func known(arguments: [String], agent: String) {
        #expect(KnownAgent.named(byArguments: arguments.map { BytePath($0) }) == agent)
    }

    @Test(
        "what only mentions an agent is none",
        arguments: [
            [], ["vim", "claude"], ["grep", "-r", "codex"], ["node", "server.js", "x", "claude"], ["claudette"],
            ["python3", "/srv/app/aider_report.py"], ["nodemon", "claude"], ["bash", "-c", "claude --help"],
            ["tail", "-f", "/home/u/.claude/projects/x/y.jsonl"],
        ]
    )
    func unknown(arguments: [String]) {
        #expect(KnownAgent.named(byArguments: arguments.map { BytePath($0) }) == nil)
    }

    @Test(
        "an open file is a transcript by where it lies",
        arguments: [
            ("/home/u/.claude/projects/-work/5b.jsonl", true), ("/root/.codex/sessions/2026/11/22/rollout.jsonl", true),
            ("/home/u/.gemini/tmp/ab/chats/session.json", true), ("/srv/x/.openclaw-dev/agents/a/s.jsonl", true),
            ("/data/run.traj", true), ("/home/u/.claude/projects/-work/5b.jsonl (deleted)", true),
            ("/home/u/.claude/settings.json", false), ("/home/u/projects/x.jsonl", false), ("pipe:[7]", false),
            ("/home/u/.claude/projects/-work/readme.md", false), ("/home/u/.codex/auth.json", false),
        ]
    )
    func transcripts(path: String, isOne: Bool) {
        #expect(KnownAgent.isTranscript(BytePath(path)) == isOne)
    }

    @Test("children belong to the topmost agent above them, strangers to nobody")
    func grouping() {
        let overview = Overview(
            of: [
                process(1, parent: 0), process(10, ["bash"]), process(20, parent: 10, ["claude"]),
                process(21, parent: 20, ["bash"]), process(22, parent: 21, ["codex"]),
                process(23, parent: 22, ["curl"]),
                process(30, parent: 10, ["vim"]), process(40, ["goose"]),
            ],
            sockets: []
        )
        #expect(overview.agents.map(\.leader.pid) == [20, 40])
        #expect(overview.agents.map(\.processes) == [4, 1])
        #expect(overview.agents.map(\.kind) == ["claude-code", "goose"])
        #expect(overview.agents[0].signs == [.argument("claude-code"), .argument("codex")])
    }

    @Test("a declared cgroup is one agent with all that stands in it, whoever its parent is")
    func declared() throws {
        let inventory = Inventory(agents: [
            AgentRecord(name: "demo", locator: .cgroup(BytePath("/agents/a7"))),
            AgentRecord(name: "all", locator: .cgroup(BytePath("/"))),
        ])
        let overview = Overview(
            of: [
                process(1, parent: 0), process(50, ["python3", "x.py"], cgroup: "/agents/a7"),
                process(51, ["sleep"], cgroup: "/agents/a7/sub"), process(52, ["claude"], cgroup: "/agents/a7"),
                process(53, ["sleep"], cgroup: "/agents/a77"), process(54, parent: 52, ["sleep"], cgroup: "/elsewhere"),
            ],
            sockets: [],
            inventory: inventory
        )
        let only = try #require(overview.agents.first)
        #expect(overview.agents.count == 1)
        #expect(only.leader.pid == 50)
        #expect(only.kind == "demo")
        #expect(only.processes == 4)
        #expect(only.signs == [.declared("demo"), .argument("claude-code")])
    }

    @Test("connections are counted once, added up by peer, and the busiest agent comes first")
    func sockets() throws {
        let overview = Overview(
            of: [
                process(20, ["claude"], links: ["socket:[100]", "socket:[101]", "/dev/null"]),
                process(21, parent: 20, ["node"], links: ["socket:[101]", "socket:[102]", "socket:[999]"]),
                process(40, ["codex"], links: ["socket:[103]"]),
            ],
            sockets: [
                try socket(100, to: "192.0.2.1:443", sent: 10), try socket(101, to: "192.0.2.2:443", sent: 500),
                try socket(102, to: "[::ffff:192.0.2.1]:443", sent: 20),
                try socket(103, to: "192.0.2.3:443", sent: 9000),
                try socket(104, to: "192.0.2.9:443", sent: 1_000_000),
            ]
        )
        #expect(overview.agents.map(\.leader.pid) == [40, 20])
        let second = overview.agents[1]
        #expect(second.bytesSent == 530)
        #expect(second.bytesReceived == 21)
        #expect(second.connections == 3)
        #expect(second.peers.map(\.endpoint.description) == ["192.0.2.2:443", "192.0.2.1:443"])
        #expect(second.peers.map(\.bytesSent) == [500, 30])
        #expect(second.peers.map(\.connections) == [1, 2])
    }

    @Test("parents that seem to go in a circle end")
    func circle() {
        let overview = Overview(
            of: [process(5, parent: 6, ["claude"]), process(6, parent: 5, ["sh"])],
            sockets: []
        )
        #expect(overview.agents.map(\.leader.pid) == [5])
        #expect(overview.agents.map(\.processes) == [2])
    }

    @Test("RT14 the next command holds nothing that the session named")
    func nextCommand() throws {
        let hostile = "/$(touch x)`id`\n-rf/.claude/projects/\u{202e}/a.jsonl"
        var evil = process(
            20,
            executable: "/tmp/$(reboot)/claude",
            ["claude", "$(id)"],
            cgroup: "/a;reboot",
            links: [hostile]
        )
        evil.name = BytePath("`id`\n")
        let overview = Overview(
            of: [evil],
            sockets: [],
            inventory: Inventory(agents: [AgentRecord(name: "a7", locator: .cgroup(BytePath("/a;reboot")))])
        )
        let entry = try #require(overview.agents.first)
        let allowed = Set("abcdefghijklmnopqrstuvwxyz0123456789- ")
        #expect(entry.nextCommand == "quell freeze 20")
        #expect(entry.nextCommand.allSatisfy { allowed.contains($0) })
        #expect(entry.signs.contains(.transcript(BytePath(hostile))))
        let told = entry.signs.map(\.description).joined()
        #expect(!told.contains("\n") && !told.contains("\u{202e}"))
    }

    @Test("names that are no text survive the encoding")
    func encoding() throws {
        var odd = process(20, ["claude"])
        odd.name = BytePath([0xff, 0x0a, 0x41])
        let overview = Overview(of: [odd], sockets: [])
        let bytes = try JSONEncoding.canonicalBytes(of: overview)
        #expect(try JSONDecoding.decode(Overview.self, from: bytes) == overview)
    }

    private func arguments(_ text: String, at path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        let bytes = Array(text.utf8)
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }

    @Test("a recorded machine is looked at: links, arguments, cgroups; kernel threads and zombies are left out")
    func recorded() throws {
        let machine = try RecordedMachine()
        try machine.process(70, parent: 1, start: 700, uid: 1000, name: "node", v2: "/agents/a7")
        try machine.process(71, parent: 70, start: 710, uid: 1000, name: "sh", v2: "/agents/a7")
        try machine.process(72, parent: 2, start: 720, name: "claude", flags: 0x0020_0000)
        for pid in [1, 70, 71, 72] {
            let folder = "\(machine.root)/proc/\(pid)"
            try arguments(pid == 70 ? "node\0/opt/claude.js\0" : "sh\0", at: "\(folder)/cmdline")
            mkdir("\(folder)/fd", 0o755)
            symlink(pid == 70 ? "/usr/bin/node" : "/bin/sh", "\(folder)/exe")
        }
        symlink("/home/u/.claude/projects/-w/s.jsonl", "\(machine.root)/proc/70/fd/9")
        let overview = try Overview.look(at: machine.host(), by: Deadline(after: .seconds(5)))
        let only = try #require(overview.agents.first)
        #expect(overview.agents.count == 1)
        #expect(overview.failures.isEmpty)
        #expect(only.leader == ProcessPin(pid: 70, startTicks: 700))
        #expect(only.kind == "claude-code")
        #expect(only.processes == 2)
        #expect(only.signs.count == 2)
        #expect(only.uid == 1000)
        #expect(only.cgroups.contains(CgroupLine(hierarchy: "v2", path: BytePath("/agents/a7"))))
        #expect(only.started == Instant(seconds: 7, nanoseconds: 0))
    }

    @Test("a process whose arguments never come is told, and the others are read")
    func hanging() throws {
        let machine = try RecordedMachine()
        try machine.process(70, parent: 1, start: 700, name: "stuck")
        try machine.process(71, parent: 1, start: 710, name: "claude")
        for pid in [1, 70, 71] {
            mkdir("\(machine.root)/proc/\(pid)/fd", 0o755)
            symlink("/bin/sh", "\(machine.root)/proc/\(pid)/exe")
        }
        try arguments("init\0", at: "\(machine.root)/proc/1/cmdline")
        try arguments("claude\0", at: "\(machine.root)/proc/71/cmdline")
        // Opening a FIFO without a writer waits for ever, as a page that a stopped server has to bring does.
        mkfifo("\(machine.root)/proc/70/cmdline", 0o600)
        let overview = try Overview.look(at: machine.host(), by: Deadline(after: .seconds(10)))
        #expect(overview.agents.map(\.leader.pid) == [71])
        #expect(overview.failures.map(\.subject) == ["70"])
        #expect(overview.failures.map(\.code) == [.timedOut])
        // Let the reader that was left behind go.
        let writer = open("\(machine.root)/proc/70/cmdline", O_WRONLY | O_NONBLOCK)
        #expect(writer >= 0)
        close(writer)
    }
}
