import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    /// User-mode networks, with the real programs that rootless podman uses.
    @Suite(
        "user-mode networks",
        .kernel(
            .root,
            .cgroup2,
            .program("slirp4netns"),
            .program("pasta"),
            .program("nft"),
            .program("ip"),
            .device("/dev/net/tun")
        )
    )
    struct UserModeSystemTests {
        @Test(
            "RT22 who carries its network is held: 0 bytes after the proof, thawed too, and release leaves all as it was",
            .sandbox,
            arguments: UserModeProgram.allCases,
            [0, 1]
        )
        func isolated(program: UserModeProgram, family: Int) throws {
            try VethPair.with { pair in
                let address = pair.addresses[family]
                let peer = try Peer(address)
                let scene = try UserModeScene(program, in: pair, doing: "$0 client \(address) \(peer.port) 2>&1")
                #expect(eventually(within: .seconds(30)) { (try? peer.count()) ?? 0 > 1000 })
                let stood = try ProcessDirectory(scene.carrier, on: scene.host).cgroups()
                let seen = [getpid(), scene.leader.pid, scene.carrier.pid]
                let before = try NetworkState(of: seen, [scene.group])

                let frozen = try Freezer(scene.host).freeze(scene.subject, apply: scene.record)
                #expect(frozen.word == .confirmed, "\(frozen)")
                let result = try scene.isolate(after: frozen)
                #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
                #expect(result.carriers.carriers.map(\.process) == [scene.carrier])
                #expect(result.carriers.carriers.map(\.isHeld) == [true])
                #expect(result.carriers.destroyed == 1)
                let atProof = try peer.count()
                let again = try scene.isolate(after: frozen)
                #expect(again.shortfalls.isEmpty, "\(again.shortfalls)")
                #expect(again.carriers.carriers.map(\.isHeld) == [true])
                #expect(again.carriers.destroyed == 0)

                let thawed = try Thaw.thaw(
                    scene.effects,
                    members: frozen.members,
                    on: scene.host,
                    apply: scene.record
                )
                #expect(thawed.isComplete, "\(thawed)")
                #expect(!eventually(within: .seconds(1)) { (try? peer.count()) != atProof })

                let released = try scene.release(result)
                #expect(released.isComplete, "\(released)")
                #expect(released.carriers.letGo == [scene.carrier])
                #expect(try ProcessDirectory(scene.carrier, on: scene.host).cgroups() == stood)
                let after = try NetworkState(of: seen, [scene.group])
                #expect(after == before, "\(after) after \(before)")
                #expect(eventually(within: .seconds(60)) { (try? peer.count()) ?? 0 > atProof })
            }
        }

        @Test(
            "RT2 of what the carrier has queued no byte arrives after the proof",
            .sandbox,
            arguments: UserModeProgram.allCases,
            [0, 1]
        )
        func queued(program: UserModeProgram, family: Int) throws {
            try VethPair.with { pair in
                let address = pair.addresses[family]
                let listener = try SlowReader(address)
                let deed = "\(PodmanContainer.busybox) nc"
                let scene = try UserModeScene(
                    program,
                    in: pair,
                    doing: "\(deed) \(address) \(listener.port) </dev/zero"
                )
                var last: [UInt64] = []
                // Until everything between the two is full.
                let isFull = eventually(within: .seconds(30)) {
                    usleep(300_000)
                    let now = (try? listener.kernelCounts()) ?? []
                    defer { last = now }
                    return now.count == 1 && now[0] > 0 && now == last
                }
                try #require(isFull)
                let frozen = try Freezer(scene.host).freeze(scene.subject, apply: scene.record)
                let result = try scene.isolate(after: frozen)
                #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
                #expect(result.carriers.destroyed == 1)
                let queued = scene.sockets(heldBy: scene.carrier).compactMap(\.inet).reduce(0) { $0 + $1.sendQueue }
                #expect(queued > 100_000)
                // The reader takes everything that is in its own queue, so that there is room for more.
                #expect(UInt64(listener.readEverything(for: .milliseconds(600))) == last[0])
                _ = try scene.release(result)
                _ = try Thaw.thaw(scene.effects, members: frozen.members, on: scene.host, apply: scene.record)
            }
        }

        @Test("a carrier of a namespace that others share is not held, and that is said", .sandbox)
        func shared() throws {
            try VethPair.with { pair in
                let peer = try Peer(pair.addresses[0])
                let deed = "$0 client \(pair.addresses[0]) \(peer.port) 2>&1"
                let scene = try UserModeScene(.slirp4netns, in: pair, doing: deed)
                #expect(eventually(within: .seconds(30)) { (try? peer.count()) ?? 0 > 1000 })
                let words = ["-t", "\(scene.leader.pid)", "-n", "/usr/bin/sleep", "60"]
                let bystander = try scene.sandbox.start(Program("/usr/bin/nsenter", words))
                #expect(
                    eventually { ProcessScanner(scene.host).namedStat(of: bystander.id)?.name == BytePath("sleep") }
                )
                let result = try scene.isolate(after: nil)
                #expect(result.carriers.carriers.isEmpty)
                #expect(
                    result.shortfalls.contains {
                        $0.contains("process \(scene.carrier.pid) (slirp4netns)") && $0.contains("shares it")
                    },
                    "\(result.shortfalls)"
                )
                let places = try ProcessDirectory(scene.carrier, on: scene.host).cgroups().map { "\($0.path)" }
                #expect(places.contains { $0.hasSuffix("/carrier") })
                _ = try scene.release(result)
            }
        }

        @Test("RT2 what is allowed does not open a user-mode network: its carrier is held, and that is said", .sandbox)
        func allowed() throws {
            try VethPair.with { pair in
                let peer = try Peer(pair.addresses[0])
                let deed = "$0 client \(pair.addresses[0]) \(peer.port) 2>&1"
                let scene = try UserModeScene(.slirp4netns, in: pair, doing: deed)
                #expect(eventually(within: .seconds(30)) { (try? peer.count()) ?? 0 > 1000 })
                let list = AllowList([try #require(AllowList.Entry("\(pair.addresses[0]):\(peer.port)"))])
                let result = try scene.isolate(after: nil, allowing: list)
                #expect(result.carriers.carriers.map(\.isHeld) == [true])
                #expect(result.shortfalls.contains { $0.contains("what is allowed cannot be reached") })
                let count = try peer.count()
                #expect(!eventually(within: .milliseconds(500)) { (try? peer.count()) != count })
                #expect(try scene.release(result).isComplete)
            }
        }
    }
}
