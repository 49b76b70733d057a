import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    @Suite("the host's end of a veth", .kernel(.root, .cgroup2, .program("ip"), .program("nft")))
    struct VethSystemTests {
        /// Whether somebody in the namespace gets a connection to a listener at the host's end.
        private func reaches(_ pair: VethPair, _ family: Int) throws -> Bool {
            let peer = try Peer(pair.addresses[family])
            let words = ["netns", "exec", pair.namespace, "/usr/bin/timeout", "2", "/usr/bin/bash", "-c"]
            let connect = "exec 3<>/dev/tcp/\(pair.addresses[family])/\(peer.port)"
            return try Program("/usr/sbin/ip", words + [connect]).run().status == 0
        }

        @Test(
            "RT22 a table at a veth is that interface's: the next one of its name is not cut, nor the table called standing",
            .sandbox,
            arguments: [0, 1]
        )
        func nextOfThatName(family: Int) throws {
            let scene = try VethPair.with { pair in
                let scene = try Scene("packetsocket", "/var/run/netns/\(pair.namespace)")
                #expect(try reaches(pair, family))
                let result = try scene.isolate()
                #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
                #expect(result.links.tables.map(\.links) == [[pair.link]])
                #expect(try !reaches(pair, family))
                let table = try #require(result.links.tables.first)
                #expect(try ContainmentEffect.addTable(table).probe(on: scene.host) == .done)
                // After a kill it goes, and not before.
                #expect(try Cut.spentTables(among: [table], on: scene.host).isEmpty)
                scene.child.signal(SIGKILL)
                #expect(eventually { (try? Cut.spentTables(among: [table], on: scene.host)) == [table] })
                return scene
            }
            var tables: [PacketTable] = []
            for case .addTable(let table) in scene.effects { tables.append(table) }
            let table = try #require(tables.first)
            defer { _ = try? Cut.release([], [table], on: scene.host, apply: scene.record) }
            try VethPair.with { pair in
                #expect(table.links == [pair.link])
                #expect(try reaches(pair, family))
                #expect(try ContainmentEffect.addTable(table).probe(on: scene.host) == .partly)
                // A session behind the new interface gets a table of its own.
                let next = try Scene("packetsocket", "/var/run/netns/\(pair.namespace)")
                let result = try Isolator(next.host).isolate(
                    next.scope(),
                    next.policy,
                    after: EarlierCut(tables: [table]),
                    by: next.soon,
                    apply: next.record
                )
                #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
                #expect(result.links.tables.first.map { $0 != table } == true)
                #expect(try !reaches(pair, family))
                _ = try Cut.release(result.cut.drops, result.links.tables, on: next.host, apply: next.record)
                #expect(try reaches(pair, family))
            }
        }
    }
}
