import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    @Suite("isolation", .kernel(.root, .cgroup2))
    struct IsolationSystemTests {
        private static let both = ["127.0.0.1", "::1"]

        @Test("RT2 after the proof no byte reaches the host end of a running session", .sandbox, arguments: both)
        func running(host: String) throws {
            let peer = try Peer(host)
            let scene = try Scene("client", host, peer.port)
            #expect(try peer.grows())
            let result = try scene.isolate()
            let count = try peer.count()
            #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
            #expect(result.test.tried == Set(CutProbe.Channel.allCases))
            #expect(result.sockets.destroyed == 1)
            #expect(try !peer.grows())
            // Who comes after the cut gets nothing through either.
            let late = try scene.sandbox.start(
                Program(try Sandbox.testkitPath(), ["client", host, peer.port]),
                in: .unified
            )
            #expect(try !peer.grows())
            #expect(!late.hasEnded)
            #expect(try peer.count() == count)
            #expect(try scene.leftovers().isEmpty)
            _ = try scene.release(result)
        }

        @Test("RT13 a session learns of nothing and holds nothing up before its network is cut", .sandbox)
        func cutFirst() throws {
            let scene = try Scene("sleepers", "1")
            var places: [CgroupPin] = []
            var order: [String] = []
            let result = try Isolator(scene.host).isolate(scene.scope(), scene.policy, by: scene.soon) {
                effects,
                act throws(Failure) in
                try scene.record(effects, act)
                for case .attachDrop in effects { order.append("drop") }
                for case .beginTrial(let parent, let name) in effects {
                    order.append("trial")
                    places.append(parent)
                    // What a session does that sees a group appear below its own: it freezes it.
                    guard parent == scene.group.pin else { continue }
                    try FreezerControl(Cgroup(parent.path.appending(name), in: scene.group.hierarchy)).freeze()
                }
            }
            #expect(order == ["drop", "trial"])
            #expect(!places.contains(scene.group.pin))
            #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
            _ = try scene.release(result)
        }

        @Test("a self-test that has no time proves nothing and leaves no group behind", .sandbox)
        func noTrial() throws {
            let scene = try Scene("sleepers", "1")
            let result = try Isolator(scene.host).isolate(
                scene.scope(),
                scene.policy,
                by: Deadline(after: .zero),
                apply: scene.record
            )
            #expect(!result.test.isProven, "\(result.test)")
            #expect(scene.effects.contains { if case .beginTrial = $0 { true } else { false } })
            #expect(try scene.leftovers().isEmpty)
            _ = try scene.release(result)
        }

        @Test("RT2 of 6 MB queued at the freeze no byte arrives after the proof", .sandbox, arguments: both)
        func queued(host: String) throws {
            let listener = try SlowReader(host)
            let scene = try Scene("flood", host, "\(listener.port)")
            #expect(try #require(scene.ready.last) > 6 << 20)
            let frozen = try scene.freeze()
            #expect(frozen.word == .confirmed)
            let result = try scene.isolate(after: frozen)
            let atProof = try listener.kernelCount()
            #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
            #expect(result.sockets.recorded > 0 && result.sockets.destroyed == 1)
            // The reader takes everything that is in its own queue, so that there is room for more.
            let read = listener.readEverything(for: .milliseconds(400))
            #expect(UInt64(read) == atProof)
            #expect(UInt64(read) < 6 << 20)
            _ = try scene.release(result)
            _ = try scene.thaw(frozen)
        }

        @Test("RT22 a socket that is older than the move into the group is destroyed", .sandbox, arguments: both)
        func older(host: String) throws {
            let peer = try Peer(host)
            let scene = try Scene("client", host, peer.port)
            let subject = Subject(pin: SessionPin(bootID: scene.host.bootID, cgroups: [], leader: scene.leader))
            let frozen = try scene.freeze(subject)
            let group = try #require(frozen.groups.first?.group)
            let result = try scene.isolate([group], after: frozen)
            #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
            #expect(result.sockets.destroyed == 1)
            #expect(result.sockets.silentWhileFrozen == 1)
            let count = try peer.count()
            #expect(try !peer.grows())
            #expect(try peer.count() == count)
            #expect(try scene.thaw(frozen).isComplete)
            #expect(try !peer.grows(), "the socket is gone for good, thawed or not")
            _ = try scene.release(result)
        }

        @Test("RT22 a socket that was passed in afterwards is destroyed by its descriptor", .sandbox, arguments: both)
        func passedIn(host: String) throws {
            let peer = try Peer(host)
            let sandbox = try Sandbox.of()
            let path = "\(sandbox.folder)/taker"
            let scene = try Scene("takesocket", path)
            _ = try sandbox.testkit("givesocket", path, host, peer.port, in: .none)
            _ = try scene.child.line { $0.hasPrefix("taken") }
            #expect(try peer.grows())
            // The drop alone does not reach it.
            let cut = try Cut.drop([scene.group.pin], on: scene.host, apply: scene.record)
            #expect(try peer.grows())
            let frozen = try scene.freeze()
            let result = try scene.isolate(after: frozen)
            #expect(result.cut.drops == cut.drops)
            #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
            #expect(result.sockets.destroyed == 1)
            let count = try peer.count()
            #expect(try !peer.grows())
            #expect(try peer.count() == count)
            _ = try scene.release(result)
            _ = try scene.thaw(frozen)
        }

        @Test("RT22 a running session that could connect an ended socket again is not called isolated", .sandbox)
        func reconnectable() throws {
            let peer = try Peer("127.0.0.1")
            let sandbox = try Sandbox.of()
            let path = "\(sandbox.folder)/taker"
            let scene = try Scene("takesocket", path)
            _ = try sandbox.testkit("givesocket", path, "127.0.0.1", peer.port, in: .none)
            _ = try scene.child.line { $0.hasPrefix("taken") }
            let result = try scene.isolate()
            #expect(result.sockets.destroyed == 1)
            #expect(result.shortfalls.contains { $0.contains("freeze the session") }, "\(result.shortfalls)")
            _ = try scene.release(result)
        }

        @Test("every socket is on record, with peers and queues, before anything is destroyed", .sandbox)
        func recordedFirst() throws {
            let peer = try Peer("127.0.0.1")
            let scene = try Scene("client", "127.0.0.1", peer.port)
            _ = try scene.isolate()
            let order = scene.effects.compactMap { effect -> String? in
                switch effect {
                case .recordSockets: "record"
                case .destroySockets: "destroy"
                case .attachDrop: "drop"
                default: nil
                }
            }
            #expect(order == ["drop", "record", "destroy"])
            var sockets: [SessionSocket] = []
            for case .recordSockets(let some) in scene.effects { sockets += some }
            let inet = try #require(sockets.compactMap(\.inet).first)
            #expect("\(inet.remote.port)" == peer.port)
            #expect(sockets.first { $0.inet != nil }?.holders == [scene.leader])
            #expect(
                scene.effects.allSatisfy { effect in
                    if case .destroySockets = effect { effect.inverse == nil } else { true }
                }
            )
            _ = try scene.release(IsolationResult())
        }

        @Test(
            "RT2 a cut with one open half is not proven, and the other half stays",
            .sandbox,
            arguments: [true, false]
        )
        func brokenHalf(outward: Bool) throws {
            let scene = try Scene("sleepers", "0")
            let direction: PacketDirection = outward ? .egress : .ingress
            let result = try Isolator(scene.host).isolate(scene.scope(), scene.policy, by: scene.soon) {
                effects,
                act throws(Failure) in
                try act()
                guard case .attachDrop(_, let program)? = effects.first else { return }
                try DropProgram.detach(id: program, from: scene.group, direction)
            }
            #expect(!result.test.isProven)
            #expect(result.shortfalls.contains { $0.contains("is not in force") && $0.contains(direction.rawValue) })
            #expect(!result.shortfalls.contains { $0.contains("still") }, "\(result.shortfalls)")
            let kept = try DropProgram.attached(to: scene.group, outward ? .ingress : .egress)
            #expect(kept == result.cut.drops.map(\.program))
            _ = try Cut.release(result.cut.drops, result.tables.tables, on: scene.host, apply: scene.record)
        }

        @Test("RT2 a drop that lets its own test through is not proven", .sandbox)
        func openToItsTest() throws {
            let scene = try Scene("sleepers", "0")
            let list = AllowList([try #require(AllowList.Entry("127.0.0.1"))])
            let result = try scene.isolate(allowing: list)
            let lines = result.test.shortfalls
            for word in ["still sends", "still receives", "still gets out"] {
                #expect(lines.contains { $0.contains(word) && $0.contains("IPv4") }, "\(lines)")
                #expect(!lines.contains { $0.contains(word) && $0.contains("IPv6") }, "\(lines)")
            }
            _ = try scene.release(result)
        }

        @Test("a socket whose lock a process never gives back holds nothing up", .sandbox)
        func locked() throws {
            let peer = try Peer("127.0.0.1")
            let scene = try Scene("holdlock", "127.0.0.1", peer.port)
            let before = Deadline.monotonicNow()
            let result = try scene.isolate()
            #expect(Deadline.monotonicNow() - before < 8_000_000_000)
            #expect(result.cut.isComplete)
            #expect(result.sockets.shortfalls.contains { $0.contains("holds its lock") }, "\(result.shortfalls)")
            _ = try scene.release(result)
        }

        @Test(
            "sockets in a network namespace of its own are destroyed, also where no process stands",
            .sandbox,
            arguments: [false, true]
        )
        func otherNamespaces(leaves: Bool) throws {
            let scene = leaves ? try Scene("ownnetwork", "--leave") : try Scene("ownnetwork")
            #expect(try grows(scene.child))
            let frozen = try scene.freeze()
            let result = try scene.isolate(after: frozen)
            #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
            #expect(result.sockets.destroyed == 3)
            _ = try scene.release(result)
            _ = try scene.thaw(frozen)
            _ = try grows(scene.child)
            #expect(try !grows(scene.child))
        }

        private func grows(_ child: Child) throws -> Bool {
            func count() throws -> String {
                child.signal(SIGUSR1)
                return try child.line { $0.hasPrefix("bytes") }
            }
            let first = try count()
            return try eventually(within: .milliseconds(60)) { (try? count()) != first } && count() != first
        }

        @Test("an allowed address stays reachable and nothing else does", .sandbox, arguments: both)
        func allowed(host: String) throws {
            let shipper = try Peer(host)
            let other = try Peer(host)
            let scene = try Scene("client", host, other.port)
            let inner = try scene.sandbox.start(
                Program(try Sandbox.testkitPath(), ["client", host, shipper.port]),
                in: .unified
            )
            _ = try inner.line { $0.hasPrefix("ready") }
            let address = try #require(NetworkAddress(host))
            let port = try #require(UInt16(shipper.port))
            let list = AllowList([AllowList.Entry(address, port: port)])
            let result = try scene.isolate(allowing: list)
            #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
            #expect(try shipper.grows())
            let count = try other.count()
            #expect(try !other.grows())
            #expect(try other.count() == count)
            let late = try scene.sandbox.start(
                Program(try Sandbox.testkitPath(), ["client", host, shipper.port]),
                in: .unified
            )
            _ = try late.line { $0.hasPrefix("ready") }
            _ = try scene.release(result)
        }

        @Test("a list that replaces a drop is never open in between, and a stranger's drop stays", .sandbox)
        func replaces() throws {
            let scene = try Scene("sleepers", "0")
            let strict = try Cut.drop([scene.group.pin], on: scene.host, apply: scene.record)
            let list = AllowList([try #require(AllowList.Entry("192.0.2.7:6514"))])
            var lowest = Int.max
            let loose = try Cut.drop([scene.group.pin], allowing: list, replacing: strict.drops, on: scene.host) {
                effects,
                act throws(Failure) in
                try act()
                lowest = min(lowest, try DropProgram.attached(to: scene.group, .egress).count)
            }
            #expect(lowest == 1)
            #expect(loose.isComplete, "\(loose)")
            #expect(try DropProgram.attached(to: scene.group, .egress) == loose.drops.map(\.program))
            let foreign = try DropProgram()
            try foreign.attach(to: scene.group, .egress)
            let again = try Cut.drop([scene.group.pin], allowing: list, on: scene.host, apply: scene.record)
            #expect(again.notReached.count == 1)
            #expect(try DropProgram.attached(to: scene.group, .egress).contains(foreign.id))
            try DropProgram.detach(id: foreign.id, from: scene.group, .egress)
            _ = try Cut.release(loose.drops, on: scene.host, apply: scene.record)
        }

        @Test("RT22 rules go into a network namespace that is the session's alone and not its to administer", .sandbox)
        func tables() throws {
            let scene = try Scene("ownnetwork", "--weak")
            let before = try ruleset(of: scene.child.id)
            let space = try NamespaceSockets(of: ProcessDirectory(scene.child.id, on: scene.host))
            let result = try scene.isolate()
            let table = try #require(result.tables.tables.first, "\(result.tables.notes)")
            #expect(table.networkNamespace == space.inode && table.groups.isEmpty)
            #expect(try ruleset(of: scene.child.id).contains(table.name))
            let released = try scene.release(result)
            #expect(released.removed == [table])
            #expect(try ruleset(of: scene.child.id) == before)
        }

        @Test("RT22 rules that somebody flushed are loaded again, and none are told that are gone", .sandbox)
        func flushed() throws {
            let scene = try Scene("ownnetwork", "--weak")
            let first = try #require(try scene.isolate().tables.tables.first)
            let words = ["-t", "\(scene.child.id)", "-n", "/usr/sbin/nft", "flush", "ruleset"]
            #expect(try Program("/usr/bin/nsenter", words).run().status == 0)
            let again = try Isolator(scene.host).isolate(
                scene.scope(),
                scene.policy,
                after: EarlierCut(tables: [first]),
                by: scene.soon,
                apply: scene.record
            )
            let table = try #require(again.tables.tables.first, "\(again.tables.notes)")
            #expect(again.tables.tables.count == 1 && table != first)
            #expect(try ruleset(of: scene.child.id).contains(table.name))
            let third = try Isolator(scene.host).isolate(
                scene.scope(),
                scene.policy,
                after: EarlierCut(tables: [first, table]),
                by: scene.soon,
                apply: scene.record
            )
            #expect(third.tables.tables == [table])
            _ = try scene.release(again)
        }

        @Test("RT22 no rules where the session may administer its network", .sandbox)
        func noTables() throws {
            let scene = try Scene("ownnetwork")
            let before = try ruleset(of: scene.child.id)
            let result = try scene.isolate()
            #expect(result.tables.notes.contains { $0.contains("CAP_NET_ADMIN") }, "\(result.tables.notes)")
            #expect(try ruleset(of: scene.child.id) == before)
            _ = try scene.release(result)
        }

        @Test("no rules in a network namespace that others share", .sandbox)
        func sharedTables() throws {
            let scene = try Scene("ownnetwork", "--weak")
            let nsenter = Program("/usr/bin/nsenter", ["-t", "\(scene.child.id)", "-n", "/usr/bin/sleep", "60"])
            let bystander = try scene.sandbox.start(nsenter)
            #expect(eventually { ProcessScanner(scene.host).namedStat(of: bystander.id)?.name == BytePath("sleep") })
            let result = try scene.isolate()
            #expect(result.tables.tables.isEmpty)
            #expect(result.tables.notes.contains { $0.contains("not of the session") }, "\(result.tables.notes)")
            _ = try scene.release(result)
        }

        @Test("release leaves every rule set and program list as it was", .sandbox)
        func restores() throws {
            let peer = try Peer("127.0.0.1")
            let scene = try Scene("client", "127.0.0.1", peer.port)
            let foreign = try DropProgram(allowing: AllowList([try #require(AllowList.Entry("127.0.0.1"))]))
            try foreign.attach(to: scene.group, .ingress)
            defer { try? DropProgram.detach(id: foreign.id, from: scene.group, .ingress) }
            let rules = try ruleset(of: getpid())
            let programs = try PacketDirection.allCases.map { try DropProgram.attached(to: scene.group, $0) }
            let result = try scene.isolate(tables: .everywhere)
            #expect(result.tables.tables.count == 1, "\(result.tables.notes)")
            #expect(try ruleset(of: getpid()) != rules)
            let released = try scene.release(result)
            #expect(released.failures.isEmpty && released.removed == result.tables.tables)
            #expect(try ruleset(of: getpid()) == rules)
            #expect(try PacketDirection.allCases.map { try DropProgram.attached(to: scene.group, $0) } == programs)
            #expect(try scene.leftovers().isEmpty)
        }

        private func ruleset(of pid: pid_t) throws -> String {
            let result = try Program(
                "/usr/bin/nsenter",
                ["-t", "\(pid)", "-n", "/usr/sbin/nft", "-a", "list", "ruleset"]
            )
            .run()
            #expect(result.status == 0)
            return String(decoding: result.output, as: UTF8.self)
        }

        @Test("the root and groups that hold what the machine needs are refused", .sandbox)
        func refused() throws {
            let host = try Host()
            let root = try Cgroup(BytePath("/"), in: try #require(host.unified))
            let failure = #expect(throws: Failure.self) {
                _ = try Isolator(host).isolate(
                    IsolationScope(groups: [root.pin]),
                    by: Deadline(after: .seconds(5))
                ) { _, act throws(Failure) in try act() }
            }
            #expect(failure?.code == .refused)
            #expect(failure?.attempt == "isolate the group")
        }
    }
}
