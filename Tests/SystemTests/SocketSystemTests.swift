import Base
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    @Suite("sockets", .kernel(.root))
    struct SocketSystemTests {
        private func soon() -> Deadline { Deadline(after: .seconds(5)) }

        private func endpoint(_ port: UInt16) -> Endpoint { Endpoint(address: .loopback, port: port) }

        @Test("a dump has the listener and both ends of a connection, with the bytes that went over it")
        func dump() throws {
            let listener = try LoopbackListener()
            let stream = try StreamSocket.connect(to: endpoint(listener.port), by: soon())
            #expect(listener.accept() >= 0)
            try stream.send([UInt8](repeating: 7, count: 1234), by: soon())
            let local = try stream.localEndpoint()
            let diag = try SockDiag()
            let counted = try eventually {
                let found = try diag.connection(local: local, remote: endpoint(listener.port), by: soon())
                return found?.counters?.bytesAcknowledged == 1235
            }
            #expect(counted)
            let dump = try diag.allInetSockets(by: soon())
            #expect(!dump.isTruncated)
            #expect(dump.unreadable == 0)
            let listening = try #require(
                dump.sockets.first { $0.state == .listen && $0.local == endpoint(listener.port) }
            )
            #expect(listening.uid == 0)
            let client = try #require(dump.sockets.first { $0.local == local && $0.state == .established })
            #expect(client.counters?.bytesSent == 1234)
            let server = try #require(dump.sockets.first { $0.remote == local && $0.state == .established })
            #expect(server.counters?.bytesReceived == 1234)
            let holders = try Host().holders(ofSockets: [listening.inode, server.inode])
            #expect(holders[listening.inode] == [getpid()])
            #expect(holders[server.inode] == [getpid()])
        }

        @Test("a dump stops at its limit and says so, and the next one is whole again")
        func limit() throws {
            let listeners = try (0..<3).map { _ in try LoopbackListener() }
            let diag = try SockDiag()
            let cut = try diag.inetSockets(.tcp, .v4, limit: 1, by: soon())
            #expect(cut.isTruncated)
            #expect(cut.sockets.count == 1)
            let whole = try diag.inetSockets(.tcp, .v4, by: soon())
            #expect(listeners.allSatisfy { one in whole.sockets.contains { $0.local.port == one.port } })
        }

        @Test("a connection that does not exist is not found, though a listener is there")
        func noConnection() throws {
            let listener = try LoopbackListener()
            let found = try SockDiag().connection(local: endpoint(listener.port), remote: endpoint(1), by: soon())
            #expect(found == nil)
        }

        @Test("unix sockets have their peers")
        func unix() throws {
            var pair: [Int32] = [-1, -1]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
            defer { for end in pair { close(end) } }
            let mine = try ProcessDirectory(getpid(), on: try Host()).socketInodes()
            let sockets = try SockDiag().unixSockets(by: soon()).sockets.filter { mine.contains($0.inode) }
            let joined = sockets.filter { one in sockets.contains { $0.inode == one.peer && $0.peer == one.inode } }
            #expect(joined.count >= 2)
        }

        @Test("nobody listening is refused at once, and a silent server is late, not awaited for ever")
        func deadlines() throws {
            let port = try LoopbackListener().port
            #expect(throws: Failure.self) { try StreamSocket.connect(to: endpoint(port), by: soon()).localEndpoint() }
            let listener = try LoopbackListener()
            let stream = try StreamSocket.connect(to: endpoint(listener.port), by: soon())
            let late = #expect(throws: Failure.self) {
                try stream.receive(atMost: 10, by: Deadline(after: .milliseconds(20)))
            }
            #expect(late?.code == .timedOut)
        }

        @Test("a server is identified by its executable, its uid and the far end of the very connection")
        func identified() throws {
            let listener = try LoopbackListener()
            let host = try Host()
            let own = try #require(try ProcessDirectory(getpid(), on: host).executable())
            let expectation = ServerExpectation(
                endpoint: endpoint(listener.port),
                executable: own,
                uid: getuid(),
                outside: []
            )
            let server = try IdentifiedServer.find(expectation, on: host, by: soon())
            #expect(server.processes.map(\.pin.pid) == [getpid()])
            // Not accepted yet: nobody can be named for the other end.
            let late = #expect(throws: Failure.self) {
                let connection = try server.connect(on: host, by: Deadline(after: .milliseconds(30)))
                _ = try connection.stream.localEndpoint()
            }
            #expect(late?.code == .timedOut)
        }

        @Test("RT9 a listening socket that a second program holds, too, is nobody's known server")
        func secondHolder() throws {
            let listener = try LoopbackListener()
            let host = try Host()
            let own = try #require(try ProcessDirectory(getpid(), on: host).executable())
            let expectation = ServerExpectation(
                endpoint: endpoint(listener.port),
                executable: own,
                uid: getuid(),
                outside: []
            )
            #expect(try IdentifiedServer.find(expectation, on: host, by: soon()).processes.count == 1)
            let holder = try ChildProcess.start(
                .rootOwned(BytePath("/usr/bin/sleep")),
                [BytePath("60")],
                descriptors: [ChildDescriptor(listener.descriptor, as: 3)]
            )
            let failure = #expect(throws: Failure.self) {
                try IdentifiedServer.find(expectation, on: host, by: soon())
            }
            #expect(failure?.code == .refused)
            #expect(failure?.reason.contains("\(holder.pid) executes /usr/bin/sleep") == true)
            #expect(try holder.finish(by: Deadline(after: .zero)) == .overran)
        }

        @Test("RT9 a connection that another process accepted is given to nobody")
        func acceptedElsewhere() throws {
            let listener = try LoopbackListener()
            let host = try Host()
            let own = try #require(try ProcessDirectory(getpid(), on: host).executable())
            let expectation = ServerExpectation(
                endpoint: endpoint(listener.port),
                executable: own,
                uid: getuid(),
                outside: []
            )
            let server = try IdentifiedServer.find(expectation, on: host, by: soon())
            // Who listened when it was identified is gone; a second program takes the connection from the same socket.
            let script = "import socket; s = socket.socket(fileno=3); s.setblocking(True); c = s.accept()[0]; c.recv(1)"
            let resolved = try #require(realpath("/usr/bin/python3", nil))
            defer { free(resolved) }
            let python = String(cString: resolved)
            let thief = try ChildProcess.start(
                .rootOwned(BytePath(python)),
                [BytePath("-c"), BytePath(script)],
                descriptors: [ChildDescriptor(listener.descriptor, as: 3)]
            )
            let failure = #expect(throws: Failure.self) {
                let connection = try server.connect(on: host, by: soon())
                _ = try connection.stream.localEndpoint()
            }
            #expect(failure?.code == .refused)
            #expect(failure?.reason.contains("another process") == true)
            _ = try thief.finish(by: Deadline(after: .zero))
        }

        @Test("RT9 another executable, another uid, a member of the session and a foreign address are refused")
        func impostors() throws {
            let listener = try LoopbackListener()
            let host = try Host()
            let process = try ProcessDirectory(getpid(), on: host)
            let own = try #require(try process.executable())
            let here = try process.cgroups().map {
                CgroupPin(hierarchy: $0.hierarchy, path: $0.path, inode: 1)
            }
            let good = endpoint(listener.port)
            let foreign = Endpoint(address: try #require(NetworkAddress("192.0.2.1")), port: listener.port)
            let redis = BytePath("/bin/sleep")
            for (expectation, words) in [
                (ServerExpectation(endpoint: good, executable: redis, uid: getuid(), outside: []), "executes"),
                (ServerExpectation(endpoint: good, executable: own, uid: 4711, outside: []), "runs as uid"),
                (
                    ServerExpectation(endpoint: good, executable: own, uid: getuid(), outside: here),
                    "belongs to the session"
                ),
                (ServerExpectation(endpoint: foreign, executable: own, uid: getuid(), outside: []), "not on this host"),
            ] {
                let failure = #expect(throws: Failure.self) {
                    try IdentifiedServer.find(expectation, on: host, by: soon())
                }
                #expect(failure?.code == .refused)
                #expect(failure?.reason.contains(words) == true, "\(failure?.reason ?? "")")
            }
            #expect(listener.everythingReceived().isEmpty)
        }
    }
}
