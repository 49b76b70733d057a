import Base
import Glibc
import Kernel
import Programs
import Sessions
import Testing

extension SystemTests {
    @Suite("overview", .kernel(.root, .cgroup2))
    struct OverviewSystemTests {
        @Test("a process that holds a transcript open is found with its children, bytes and peer", .sandbox)
        func found() throws {
            let sandbox = try Sandbox.of()
            let folder = "\(sandbox.folder)/.claude"
            for path in [folder, "\(folder)/projects", "\(folder)/projects/-w"] { mkdir(path, 0o755) }
            let transcript = "\(folder)/projects/-w/s.jsonl"
            #expect(Files.write("{}\n", to: transcript) == 0)
            let listener = try LoopbackListener()
            let script = """
                exec 8>>"$1"
                exec 9<>/dev/tcp/127.0.0.1/"$2"
                printf 0123456789 >&9
                sleep 300 &
                echo ready
                wait
                """
            let bash = try #require(Program.find("bash"))
            let program = Program(bash, ["-c", script, "x", transcript, "\(listener.port)"])
            let child = try sandbox.start(program, in: .unified)
            _ = try child.line { $0 == "ready" }
            #expect(listener.accept() >= 0)

            let overview = try Overview.look(at: Host(), by: Deadline(after: .seconds(10)))
            let entry = try #require(overview.agents.first { $0.leader.pid == child.id })
            #expect(entry.signs == [.transcript(BytePath(transcript))])
            #expect(entry.kind == "agent")
            #expect(entry.processes == 2)
            #expect(entry.uid == 0)
            #expect(entry.connections == 1)
            #expect(entry.bytesSent == 10)
            #expect(entry.peers.map(\.endpoint) == [Endpoint(address: .loopback, port: listener.port)])
            #expect(
                entry.cgroups.contains { $0.hierarchy == "v2" && $0.path.components.last == BytePath(sandbox.name) }
            )
            #expect(entry.nextCommand == "quell freeze \(child.id)")
            #expect(!overview.agents.contains { $0.leader.pid == getpid() })
        }
    }
}
