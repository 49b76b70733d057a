import Base
import Glibc
import Kernel
import Programs
import Sessions
import Testing

extension SystemTests {
    @Suite("the list of sessions", .kernel(.root, .cgroup2))
    struct SessionListSystemTests {
        private func sessions(_ question: SessionQuestion) throws -> [ListedSession] {
            try SessionList.look(at: Host(), asking: question, by: Deadline(after: .seconds(10))).sessions
        }

        private func file(_ path: String) throws -> SoughtFile {
            try SessionQuestion.find(BytePath(path), on: Host(), by: Deadline(after: .seconds(5)))
        }

        /// Runs a Python program and waits until it says `ready`.
        private func python(_ text: String, _ arguments: [String], in placement: Sandbox.Placement = .none) throws
            -> Child
        {
            let path = try #require(Program.find("python3"))
            let child = try Sandbox.of().start(Program(path, ["-c", text] + arguments), in: placement)
            _ = try child.line { $0 == "ready" }
            return child
        }

        @Test(
            "a connection to a peer names the session that has it, in both families",
            .kernel(.program("python3")),
            .sandbox,
            arguments: ["127.0.0.1", "::1"]
        )
        func peer(address: String) throws {
            let told = "\(try Sandbox.of().folder)/port"
            let server = try python(
                """
                import socket, sys, time
                kind = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
                listener = socket.socket(kind)
                listener.bind((sys.argv[1], 0))
                listener.listen()
                client = socket.socket(kind)
                client.connect(listener.getsockname()[:2])
                client.sendall(b"0123456789")
                open(sys.argv[2], "w").write(str(listener.getsockname()[1]))
                print("ready", flush=True)
                time.sleep(300)
                """,
                [address, told],
                in: .unified
            )
            let text = try #require(Files.text(told))
            let port = try #require(UInt16(text))
            let end = address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
            let found = try sessions(SessionQuestion(peer: SoughtPeer(parsing: end)))
            let only = try #require(found.first)
            #expect(found.count == 1)
            #expect(only.leader.pid == server.id && only.agent == nil && only.runtime.kind == .cgroup)
            #expect(only.matches.count == 1 && only.matches.first?.process.pid == server.id)
            #expect(only.matches.first?.connection?.remote == Endpoint(end))
            #expect(only.bytesSent == 10)
            #expect(only.memory.bytes > 0)
            let everywhere = try sessions(SessionQuestion(peer: SoughtPeer(parsing: address)))
            #expect(everywhere.contains { $0.leader.pid == server.id })
            #expect(try sessions(SessionQuestion(peer: SoughtPeer(parsing: "192.0.2.77"))).isEmpty)
        }

        @Test("a file held open is found by its path, a relative path's links and its deleted name", .sandbox)
        func descriptor() throws {
            let sandbox = try Sandbox.of()
            let path = "\(sandbox.folder)/held"
            #expect(Files.write("x", to: path) == 0)
            #expect(symlink("held", "\(sandbox.folder)/link") == 0)
            let bash = try #require(Program.find("bash"))
            let script = "exec 7<\"$1\"; echo ready; exec sleep 300"
            let child = try sandbox.start(Program(bash, ["-c", script, "x", path]), in: .unified)
            _ = try child.line { $0 == "ready" }
            let sought = try file("\(sandbox.folder)/link")
            #expect(sought.path == BytePath(path))
            func holdings(_ file: SoughtFile) throws -> [FileHolding] {
                let found = try sessions(SessionQuestion(file: file))
                #expect(found.map(\.leader.pid) == [child.id])
                return found.flatMap(\.matches).compactMap(\.file)
            }
            #expect(try holdings(sought) == [FileHolding(.descriptor, descriptor: 7)])
            #expect(unlink(path) == 0)
            // Resolved once: the same file is found though its name is gone.
            #expect(try holdings(sought) == [FileHolding(.descriptor, descriptor: 7, isDeleted: true)])
            let byName = FileHolding(.descriptor, descriptor: 7, isDeleted: true, isByName: true)
            #expect(try holdings(file(path)) == [byName])
            #expect(try holdings(file("\(sandbox.folder)/link")) == [byName])
            // Another file of that name is not the one that is held, and the deleted one is told by its name.
            #expect(Files.write("y", to: path) == 0)
            #expect(try holdings(file(path)) == [byName])
            #expect(throws: Failure.self) { try file("\(sandbox.folder)/no-folder/x") }
            #expect(try sessions(SessionQuestion(file: file("\(sandbox.folder)/nobody"))).isEmpty)
        }

        @Test("a file that is only mapped is found, also when it is deleted", .kernel(.program("python3")), .sandbox)
        func mapped() throws {
            let sandbox = try Sandbox.of()
            let path = "\(sandbox.folder)/mapped"
            #expect(Files.write(String(repeating: "x", count: 8192), to: path) == 0)
            let child = try python(
                """
                import ctypes, os, sys, time
                libc = ctypes.CDLL(None, use_errno=True)
                libc.mmap.restype = ctypes.c_void_p
                libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
                file = os.open(sys.argv[1], os.O_RDONLY)
                assert libc.mmap(None, 8192, 1, 2, file, 0) != ctypes.c_void_p(-1).value
                os.close(file)
                print("ready", flush=True)
                time.sleep(300)
                """,
                [path]
            )
            let sought = try file(path)
            func holdings() throws -> [FileHolding] {
                // It stands in no cgroup of its own: it is with the processes that it was started from.
                let found = try sessions(SessionQuestion(file: sought))
                #expect(found.count == 1)
                return found.flatMap(\.matches).filter { $0.process.pid == child.id }.compactMap(\.file)
            }
            #expect(try holdings() == [FileHolding(.mapping)])
            #expect(unlink(path) == 0)
            #expect(try holdings() == [FileHolding(.mapping, isDeleted: true)])
        }

        @Test("RT7 a session that holds the lock of its socket holds up neither the overview nor the list", .sandbox)
        func locked() throws {
            let sandbox = try Sandbox.of()
            let listener = try LoopbackListener()
            try sandbox.testkit("holdlock", "127.0.0.1", "\(listener.port)")
            let transcript = "\(sandbox.folder)/run.traj"
            let bash = try #require(Program.find("bash"))
            let script = "exec 8>>\"$1\"; echo ready; exec sleep 300"
            let agent = try sandbox.start(Program(bash, ["-c", script, "x", transcript]), in: .unified)
            _ = try agent.line { $0 == "ready" }
            let began = Deadline.monotonicNow()
            let overview = try Overview.look(at: Host(), by: Deadline(after: .seconds(5)))
            let list = try SessionList.look(at: Host(), by: Deadline(after: .seconds(5)))
            #expect(Deadline.monotonicNow() - began < 10_500_000_000)
            #expect(overview.agents.contains { $0.leader.pid == agent.id })
            #expect(overview.failures.contains { $0.attempt == "count the bytes of connections" })
            #expect(Set(list.sessions.flatMap(\.peers).map(\.endpoint.port)).contains(listener.port))
            #expect(list.failures.contains { $0.attempt == "count the bytes of connections" })
            let peer = SoughtPeer(address: .loopback, port: listener.port)
            #expect(try sessions(SessionQuestion(peer: peer)).count == 1)
        }
    }
}
