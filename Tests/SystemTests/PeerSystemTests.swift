import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    @Suite("peers", .kernel(.root, .cgroup2))
    struct PeerSystemTests {
        /// A server outside with two clients outside; `session` are the words that make the session its third.
        private func server(_ place: String, _ name: String...) throws -> (child: Child, port: Int32) {
            let sandbox = try Sandbox.of()
            let program = Program(try Sandbox.testkitPath(), ["serve", place] + name)
            let child = try sandbox.start(program)
            let ready = try child.line { $0.hasPrefix("ready") }.split(separator: " ").compactMap { Int32($0) }
            return (child, try #require(ready.last))
        }

        private func callers(_ words: String...) throws {
            let sandbox = try Sandbox.of()
            for _ in 0..<2 {
                let child = try sandbox.start(Program(try Sandbox.testkitPath(), ["call"] + words))
                _ = try child.line { $0.hasPrefix("ready") }
            }
        }

        private func peer(_ pid: Int32, in result: FreezeResult) throws -> SessionPeer {
            let around = try #require(result.surroundings)
            return try #require(around.peers.first { $0.process.pid == pid }, "\(around)")
        }

        private func stands(_ pid: Int32, inFrozenGroupOn host: Host) throws -> Bool {
            let line = try ProcessDirectory(pid, on: host).cgroups().first { $0.hierarchy == "v2" }
            guard let path = line?.path, path != BytePath("/"), let unified = host.unified else { return false }
            return try FreezerControl(Cgroup(path, in: unified)).current() == .frozen
        }

        @Test("a tool server at a unix socket is a peer, with how many others it serves, and runs on", .sandbox)
        func unixServer() throws {
            let path = "\(try Sandbox.of().folder)/tool.sock"
            let server = try server(path)
            try callers(path)
            let scene = try Scene("call", path)
            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            let found = try peer(server.child.id, in: result)
            #expect(found.links == [SessionPeer.Link(.unixSocket, .server, at: BytePath(path))])
            #expect(found.otherClients == 2)
            #expect(!found.isHeld)
            #expect(try !stands(server.child.id, inFrozenGroupOn: scene.host))
            // The other clients are joined to the server, not to the session.
            #expect(result.surroundings?.peers.map(\.process.pid) == [server.child.id])
        }

        @Test("a tool server on loopback is a peer, with how many others it serves", .sandbox)
        func loopbackServer() throws {
            let server = try server("tcp")
            try callers("127.0.0.1", "\(server.port)")
            let scene = try Scene("call", "127.0.0.1", "\(server.port)")
            let found = try peer(server.child.id, in: scene.freeze())
            #expect(found.links == [SessionPeer.Link(.loopback, .server, at: BytePath("127.0.0.1:\(server.port)"))])
            #expect(found.otherClients == 2)
        }

        @Test("the word of a freeze is told once, before Quell looks around", .sandbox)
        func wordFirst() throws {
            let path = "\(try Sandbox.of().folder)/tool.sock"
            _ = try server(path)
            let scene = try Scene("call", path)
            var heard: [FreezeResult] = []
            let result = try Freezer(scene.host).freeze(
                scene.subject,
                telling: { heard.append($0) },
                apply: scene.record
            )
            #expect(heard.map(\.word) == [.confirmed])
            #expect(heard.allSatisfy { $0.surroundings == nil && $0.times.proven != nil })
            #expect(result.surroundings?.peers.count == 1)
        }

        @Test("who reads from the session's pipe is a peer", .sandbox)
        func pipe() throws {
            let sandbox = try Sandbox.of()
            let group = try #require(sandbox.unified)
            let child = try sandbox.start(Program(try Sandbox.testkitPath(), ["piped", group.path]))
            let ready = try child.line { $0.hasPrefix("ready") }.split(separator: " ").compactMap { Int32($0) }
            let host = try Host()
            let around = Surroundings.look(
                at: [try ProcessDirectory(ready[0], on: host).stat().pin],
                on: host,
                by: Deadline(after: .seconds(10))
            )
            #expect(around.peers.map(\.process.pid) == [ready[1]])
            #expect(around.peers.first?.links == [SessionPeer.Link(.pipe, .partner)])
            #expect(around.peers.first?.otherClients == 0)
        }

        @Test("who reads a FIFO that the session writes to is a peer, with how many others it serves", .sandbox)
        func namedFIFO() throws {
            let sandbox = try Sandbox.of()
            let path = "\(sandbox.folder)/request"
            #expect(mkfifo(path, 0o600) == 0)
            let server = try holder(of: path, "<")
            let client = try holder(of: path, ">")
            let session = try holder(of: path, ">", in: .unified)
            let host = try Host()
            let members = [try ProcessDirectory(session.id, on: host).stat().pin]
            let around = Surroundings.look(at: members, on: host, by: Deadline(after: .seconds(10)))
            #expect(around.peers.map(\.process.pid) == [server.id], "\(around)")
            #expect(around.peers.first?.links == [SessionPeer.Link(.fifo, .partner, at: BytePath(path))])
            #expect(!client.hasEnded)
            #expect(around.peers.first?.otherClients == 1)
        }

        @Test("clients that a server at a FIFO has by other FIFOs are counted, too", .sandbox)
        func otherFIFOs() throws {
            let sandbox = try Sandbox.of()
            let paths = ["a", "b"].map { "\(sandbox.folder)/\($0)" }
            for path in paths { #expect(mkfifo(path, 0o600) == 0) }
            let opening = "exec 3<>\"$0\" 4<>\"$1\"; exec 5<\"$0\" 6<\"$1\" 3>&- 4>&-; echo ready; exec sleep 600"
            let server = try sandbox.start(Program("/bin/sh", ["-c", opening] + paths))
            _ = try server.line { $0 == "ready" }
            let client = try holder(of: paths[1], ">")
            let session = try holder(of: paths[0], ">", in: .unified)
            let host = try Host()
            let members = [try ProcessDirectory(session.id, on: host).stat().pin]
            let around = Surroundings.look(at: members, on: host, by: Deadline(after: .seconds(10)))
            #expect(around.peers.map(\.process.pid) == [server.id], "\(around)")
            #expect(around.peers.first?.otherClients == 1)
            #expect(!client.hasEnded)
        }

        /// Somebody who has one end of a FIFO. It is opened for both first, because an end waits for the other one.
        private func holder(
            of path: String,
            _ redirection: String,
            in placement: Sandbox.Placement = .none
        ) throws -> Child {
            let script = "exec 3<>\"$0\"; exec 4\(redirection)\"$0\" 3>&-; echo ready; exec sleep 600"
            let child = try Sandbox.of().start(Program("/bin/sh", ["-c", script, path]), in: placement)
            _ = try child.line { $0 == "ready" }
            return child
        }

        @Test("with peers takes the server along, told with its other clients, and thaw gives it back", .sandbox)
        func withPeers() throws {
            let path = "\(try Sandbox.of().folder)/tool.sock"
            let server = try server(path)
            try callers(path)
            let scene = try Scene("call", path)
            let before = try ProcessDirectory(server.child.id, on: scene.host).cgroups()
            let result = try scene.freeze(policy: FreezePolicy(withPeers: true))
            #expect(result.word == .confirmed, "\(result)")
            let found = try peer(server.child.id, in: result)
            #expect(found.isHeld, "\(found)")
            #expect(found.otherClients == 2)
            #expect(try stands(server.child.id, inFrozenGroupOn: scene.host))
            #expect(!result.members.contains { $0.pid == server.child.id })
            let again = try scene.freeze(policy: FreezePolicy(withPeers: true))
            #expect(try peer(server.child.id, in: again).isHeld)
            #expect(!again.effects.contains { if case .hold = $0 { true } else { false } })
            let thawed = try scene.thaw(result)
            #expect(thawed.isComplete, "\(thawed)")
            #expect(thawed.supervisors.letGo.map(\.pid) == [server.child.id])
            #expect(try ProcessDirectory(server.child.id, on: scene.host).cgroups() == before)
        }

        @Test("a peer that the machine needs is refused and told, and the session is frozen all the same", .sandbox)
        func guarded() throws {
            let sandbox = try Sandbox.of()
            // A file of the host's, as packages install them.
            let folder = try #require(Files.makeTemporaryFolder("/usr/lib/quell-test-XXXXXX"))
            defer { _ = Files.removeTree(folder) }
            let copied = try Program("/bin/cp", [try Sandbox.testkitPath(), "\(folder)/sshd"]).run()
            #expect(copied.status == 0, "\(copied.errorText)")
            let path = "\(sandbox.folder)/tool.sock"
            let server = try sandbox.start(Program("\(folder)/sshd", ["serve", path]))
            _ = try server.line { $0.hasPrefix("ready") }
            let scene = try Scene("call", path)
            let result = try scene.freeze(policy: FreezePolicy(withPeers: true))
            #expect(result.word == .confirmed, "\(result)")
            let found = try peer(server.id, in: result)
            #expect(!found.isHeld)
            #expect(found.reason == "this machine needs it")
            #expect(try !stands(server.id, inFrozenGroupOn: scene.host))
        }

        @Test("a tool server that only has the name of what the machine needs is taken along", .sandbox)
        func borrowedName() throws {
            let path = "\(try Sandbox.of().folder)/tool.sock"
            let server = try server(path, "sshd")
            let scene = try Scene("call", path)
            let result = try scene.freeze(policy: FreezePolicy(withPeers: true))
            #expect(result.word == .confirmed, "\(result)")
            #expect(try peer(server.child.id, in: result).isHeld)
            #expect(try scene.thaw(result).isComplete)
        }

        @Test("RT23 what the session serves, with its clients, is shown before the freeze and after it", .sandbox)
        func serves() throws {
            let path = "\(try Sandbox.of().folder)/own.sock"
            let scene = try Scene("serve", path)
            try callers(path)
            let preview = try Freezer(scene.host).preview(scene.subject)
            #expect(try !scene.group.isFrozenNow())
            #expect(preview.members.map(\.pid) == [scene.child.id])
            let result = try scene.freeze()
            for around in [preview.surroundings, try #require(result.surroundings)] {
                let service = try #require(around.services.first { $0.address == BytePath(path) }, "\(around)")
                #expect(service.kind == .unixSocket)
                #expect(service.clients == 2)
                #expect(service.clientPids.count == 2)
                #expect(around.peers.count == 2)
                #expect(around.peers.allSatisfy { $0.links.first?.role == .client })
            }
        }

        @Test("RT23 locks on files are shown before the freeze and after it, with who waits for them", .sandbox)
        func locks() throws {
            let sandbox = try Sandbox.of()
            let path = "\(sandbox.folder)/locked"
            let scene = try Scene("lockfile", path)
            let waiter = try sandbox.start(Program(try Sandbox.testkitPath(), ["lockfile", path, "wait"]))
            _ = try waiter.line { $0.hasPrefix("ready") }
            #expect(
                eventually {
                    (try? scene.host.fileLocks().contains { $0.pid == scene.child.id && $0.waiting == 1 }) == true
                }
            )
            let preview = try Freezer(scene.host).preview(scene.subject)
            let result = try scene.freeze()
            for around in [preview.surroundings, try #require(result.surroundings)] {
                let lock = try #require(around.locks.first { $0.path == BytePath(path) }, "\(around)")
                #expect(lock.process.pid == scene.child.id)
                #expect(lock.lock.kind == "FLOCK" && lock.lock.mode == "WRITE")
                #expect(lock.lock.waiting == 1)
            }
        }

        @Test("a preview changes nothing and names strays, guests and who may belong to it", .sandbox)
        func preview() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("movecgroup", elsewhere.path, room: "session")
            let preview = try Freezer(scene.host).preview(scene.subject)
            #expect(preview.groups == [scene.group.pin])
            #expect(preview.frozen.isEmpty)
            #expect(preview.strays.map(\.process.pid) == [scene.ready[0]])
            #expect(preview.strays.first?.marks.contains(.lineage) == true)
            #expect(preview.strays.first?.isHeld == false)
            #expect(try !scene.group.isFrozenNow())
            #expect(scene.effects.isEmpty)
        }
    }
}
