import Base
import Containment
import Glibc
import Kernel
import Programs
import Sessions
import Testing

extension SystemTests {
    /// The conformance suite for gVisor: its processes are not those that run inside, so it has its own.
    @Suite("gVisor", .kernel(.root, .cgroup2, .program("runsc"), .program("unshare"), .program("ip")))
    struct GVisorSystemTests {
        private static let work = "(while :; do :; done) & busybox sleep 1000 & wait"

        @Test(
            "freeze is confirmed for sentry, gofer and stubs, nothing runs, thaw brings all back, kill leaves nothing",
            .sandbox,
            arguments: [[], ["--ignore-cgroups"]]
        )
        func conforms(flags: [String]) throws {
            try GVisorContainer.with(Self.work, flags: flags) { container in
                let host = try Host()
                let session = try resolve("runsc:\(container.id)", container, host)
                #expect(session.runtime == .gvisor)
                #expect(session.leader?.pin.pid == container.sentry)
                let pids = container.processes(on: host)
                #expect(Set(session.members.map(\.pin.pid)).isSubset(of: pids) && pids.count > 3)
                #expect(session.members.contains { $0.pin.pid == container.gofer && $0.lineage == .sandbox })
                #expect(runs(container, host, within: .seconds(5)))

                let subject = Subject(session)
                let policy = FreezePolicy(root: container.root)
                let frozen = try Freezer(host).freeze(subject, policy, apply: apply)
                defer { takeAway(frozen, host) }
                #expect(frozen.word == .confirmed, "\(frozen)")
                #expect(frozen.strays.isEmpty && frozen.guests.isEmpty)
                #expect(Set(frozen.members.map(\.pid)) == Set(container.processes(on: host)))
                let group = try Cgroup(try #require(frozen.groups.first?.group), on: host)
                let threads = container.processes(on: host).map { pid in
                    (try? ProcessDirectory(pid, on: host).threadIDs().count) ?? 0
                }
                #expect(try frozen.threads == threads.reduce(0, +) && group.isFrozenNow())
                #expect(!runs(container, host, within: .milliseconds(300)))
                #expect(frozen.cut?.drops.count == 1 && frozen.cut?.failures.isEmpty == true, "\(frozen)")
                #expect(try FreezeCheck(of: frozen, on: host).stands)

                let thawed = try Thaw.thaw(
                    frozen.effects,
                    members: frozen.members,
                    release: true,
                    on: host,
                    apply: apply
                )
                #expect(thawed.isComplete, "\(thawed)")
                #expect(runs(container, host, within: .seconds(10)))

                let again = try Freezer(host).freeze(subject, policy, apply: apply)
                defer { takeAway(again, host) }
                #expect(again.word == .confirmed, "\(again)")
                let killed = try Killer(host).kill(again, subject, KillPolicy(watchMilliseconds: 300), apply: apply)
                #expect(killed.isComplete, "\(killed)")
                #expect(container.processes(on: host).isEmpty)
            }
        }

        @Test("any process of a sandbox, and its cgroup, lead to the same session", .sandbox)
        func anyProcess() throws {
            try GVisorContainer.with(Self.work) { container in
                let host = try Host()
                let named = try resolve("runsc:\(container.id)", container, host)
                let stub = try #require(
                    container.processes(on: host).first { pid in
                        ProcessScanner(host).stat(of: pid)?.parent == container.sentry
                    }
                )
                for locator in ["pid:\(container.sentry)", "\(container.gofer)", "\(stub)", "cgroup:/\(container.id)"] {
                    let found = try resolve(locator, container, host)
                    #expect(found.leader?.pin == named.leader?.pin, "\(locator)")
                    #expect(Set(found.pin.cgroups) == Set(named.pin.cgroups), "\(locator)")
                    #expect(found.guests.isEmpty && found.runtime == .gvisor, "\(locator)")
                }
                // Without the state's folder the kernel alone joins gofer and sentry, by their cgroup.
                let bare = try SessionResolver(host: host).resolve(try Locator(parsing: "pid:\(container.gofer)"))
                #expect(bare.leader?.pin == named.leader?.pin)
                #expect(Set(bare.members.map(\.pin)) == Set(named.members.map(\.pin)))
            }
        }

        @Test(
            "RT7 the sentry is asked how many processes run inside, and one that does not answer holds nothing up",
            .sandbox
        )
        func sentryAsked() throws {
            try GVisorContainer.with(Self.work) { container in
                let host = try Host()
                let subject = Subject(try resolve("runsc:\(container.id)", container, host))
                kill(container.sentry, SIGSTOP)
                let clock = ContinuousClock()
                let began = clock.now
                let frozen = try Freezer(host).freeze(subject, FreezePolicy(root: container.root), apply: apply)
                defer { takeAway(frozen, host) }
                #expect(clock.now - began < .seconds(10))
                #expect(frozen.word == .confirmed, "\(frozen)")
                #expect(frozen.inside?.processes == nil && frozen.inside?.reason == "it did not answer in time")
                #expect(frozen.inside?.text.contains("unknown from outside") == true)
            }
        }

        @Test("the list says gvisor, its name, and that what is inside is unknown", .sandbox)
        func listed() throws {
            try GVisorContainer.with(Self.work) { container in
                let host = try Host()
                let list = try SessionList.look(at: host, by: Deadline(after: .seconds(30)))
                let found = try #require(
                    list.sessions.first { one in
                        [container.sentry, container.gofer].contains(one.leader.pid)
                    }
                )
                #expect(found.runtime.kind == .gvisor)
                #expect(found.processes == container.processes(on: host).count)
            }
        }

        @Test(
            "RT22 frames of its packet socket are dropped at the host's end of the veth: 0 bytes after the proof, thawed too",
            .sandbox,
            .kernel(.program("nft")),
            arguments: [0, 1]
        )
        func isolated(family: Int) throws {
            try VethPair.with { pair in
                let peer = try Peer(pair.addresses[family])
                let send = "while :; do busybox nc \(pair.addresses[family]) \(peer.port) </dev/zero; done"
                try GVisorContainer.with(send, network: .veth(pair)) { container in
                    let host = try Host()
                    #expect(eventually(within: .seconds(20)) { (try? peer.count()) ?? 0 > 100_000 })
                    let before = try NetworkState(of: [getpid(), container.sentry], [])
                    let subject = Subject(try resolve("runsc:\(container.id)", container, host))
                    let frozen = try Freezer(host).freeze(subject, FreezePolicy(root: container.root), apply: apply)
                    defer { takeAway(frozen, host) }
                    #expect(frozen.word == .confirmed, "\(frozen)")
                    let result = try isolate(subject, frozen, host)
                    defer { release(result, host) }
                    #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
                    #expect(result.links.tables.map(\.links) == [[pair.link]])
                    #expect(result.sockets.cut.contains { $0.other?.wayOut == "packet" })
                    let atProof = try peer.count()
                    let thawed = try Thaw.thaw(frozen.effects, members: frozen.members, on: host, apply: apply)
                    #expect(thawed.isComplete, "\(thawed)")
                    #expect(!eventually(within: .seconds(2)) { (try? peer.count()) != atProof })
                    release(result, host)
                    let after = try NetworkState(of: [getpid(), container.sentry], [])
                    #expect(after == before, "\(after) after \(before)")
                    #expect(eventually(within: .seconds(60)) { (try? peer.count()) ?? 0 > atProof })
                }
            }
        }

        @Test(
            "RT22 with an allow list at the host's end of the veth its address gets on and no other does",
            .sandbox,
            .kernel(.program("nft")),
            arguments: [0, 1]
        )
        func allowed(family: Int) throws {
            try VethPair.with { pair in
                let address = pair.addresses[family]
                let shipper = try Peer(address)
                let other = try Peer(address)
                let sends = [shipper, other].map { "(while :; do busybox nc \(address) \($0.port) </dev/zero; done)" }
                try GVisorContainer.with(sends.joined(separator: " & "), network: .veth(pair)) { container in
                    let host = try Host()
                    for peer in [shipper, other] {
                        #expect(eventually(within: .seconds(20)) { (try? peer.count()) ?? 0 > 100_000 })
                    }
                    let subject = Subject(try resolve("runsc:\(container.id)", container, host))
                    let frozen = try Freezer(host).freeze(subject, FreezePolicy(root: container.root), apply: apply)
                    defer { takeAway(frozen, host) }
                    let list = AllowList([
                        AllowList.Entry(try #require(NetworkAddress(address)), port: UInt16(shipper.port))
                    ])
                    let result = try isolate(subject, frozen, host, allowing: list)
                    defer { release(result, host) }
                    #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
                    #expect(result.links.tables.map(\.allowed) == [list])
                    let atProof = try (shipper.count(), other.count())
                    let thawed = try Thaw.thaw(frozen.effects, members: frozen.members, on: host, apply: apply)
                    #expect(thawed.isComplete, "\(thawed)")
                    #expect(eventually(within: .seconds(60)) { (try? shipper.count()) ?? 0 > atProof.0 + 100_000 })
                    #expect(try other.count() == atProof.1)
                }
            }
        }

        @Test(
            "RT22 on the host's own network its sockets are destroyed: 0 bytes after the proof, and release leaves all as it was",
            .sandbox,
            arguments: ["127.0.0.1", "::1"]
        )
        func isolatedOnHost(address: String) throws {
            let peer = try Peer(address)
            let send = "while :; do busybox nc \(address) \(peer.port) </dev/zero; done"
            try GVisorContainer.with(send, network: .host) { container in
                let host = try Host()
                #expect(eventually(within: .seconds(20)) { (try? peer.count()) ?? 0 > 100_000 })
                let subject = Subject(try resolve("runsc:\(container.id)", container, host))
                let before = try NetworkState(of: [getpid()], [])
                let frozen = try Freezer(host).freeze(subject, FreezePolicy(root: container.root), apply: apply)
                defer { takeAway(frozen, host) }
                #expect(frozen.word == .confirmed, "\(frozen)")
                let result = try isolate(subject, frozen, host)
                defer { release(result, host) }
                #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
                #expect(result.sockets.destroyed >= 1)
                #expect(result.links.tables.isEmpty)
                let atProof = try peer.count()
                #expect(!eventually(within: .seconds(1)) { (try? peer.count()) != atProof })
                release(result, host)
                let after = try NetworkState(of: [getpid()], [])
                #expect(after == before, "\(after) after \(before)")
                let thawed = try Thaw.thaw(frozen.effects, members: frozen.members, on: host, apply: apply)
                #expect(thawed.isComplete, "\(thawed)")
                #expect(eventually(within: .seconds(60)) { (try? peer.count()) ?? 0 > atProof })
            }
        }

        @Test("RT22 without a network there is nothing left to cut but the group, and that is proven", .sandbox)
        func isolatedWithoutNetwork() throws {
            try GVisorContainer.with(Self.work) { container in
                let host = try Host()
                let subject = Subject(try resolve("runsc:\(container.id)", container, host))
                let before = try NetworkState(of: [getpid(), container.sentry], [])
                let frozen = try Freezer(host).freeze(subject, FreezePolicy(root: container.root), apply: apply)
                defer { takeAway(frozen, host) }
                let result = try isolate(subject, frozen, host)
                defer { release(result, host) }
                #expect(result.shortfalls.isEmpty, "\(result.shortfalls)")
                #expect(result.test.isProven && result.cut.drops.count == 1)
                #expect(result.links.tables.isEmpty && result.carriers.carriers.isEmpty)
                release(result, host)
                let after = try NetworkState(of: [getpid(), container.sentry], [])
                #expect(after == before, "\(after) after \(before)")
            }
        }

        @Test("RT22 a namespace that others share is not cut at the host's end, and that is said", .sandbox)
        func shared() throws {
            try VethPair.with { pair in
                let sandbox = try Sandbox.of()
                _ = try sandbox.start(
                    Program("/usr/bin/nsenter", ["--net=/var/run/netns/\(pair.namespace)", "/bin/sleep", "1000"])
                )
                try GVisorContainer.with(Self.work, network: .veth(pair)) { container in
                    let host = try Host()
                    let subject = Subject(try resolve("runsc:\(container.id)", container, host))
                    let frozen = try Freezer(host).freeze(subject, FreezePolicy(root: container.root), apply: apply)
                    defer { takeAway(frozen, host) }
                    let group = try #require(frozen.groups.first?.group)
                    let result = try Isolator(host).isolate(
                        IsolationScope(groups: [group], processes: frozen.members),
                        after: EarlierCut(drops: frozen.cut?.drops ?? []),
                        by: Deadline(after: .seconds(20)),
                        apply: apply
                    )
                    defer { release(result, host) }
                    #expect(result.links.tables.isEmpty)
                    #expect(result.shortfalls.contains { $0.contains("shares it and is not of the session") })
                    #expect(result.shortfalls.contains { $0.contains("past the drop: packet socket") })
                }
            }
        }

        // MARK: Support

        private func isolate(
            _ subject: Subject,
            _ frozen: FreezeResult,
            _ host: Host,
            allowing allowed: AllowList = AllowList()
        ) throws -> IsolationResult {
            let group = try #require(frozen.groups.first?.group)
            return try Isolator(host).isolate(
                IsolationScope(groups: subject.pin.cgroups + [group], processes: frozen.members),
                leader: subject.pin.leader,
                IsolationPolicy(allowed: allowed),
                after: EarlierCut(drops: frozen.cut?.drops ?? []),
                by: Deadline(after: .seconds(20)),
                apply: apply
            )
        }

        private func resolve(_ text: String, _ container: GVisorContainer, _ host: Host) throws -> Session {
            try SessionResolver(host: host, root: container.root).resolve(try Locator(parsing: text))
        }

        private func apply(_ effects: [ContainmentEffect], _ act: () throws(Failure) -> Void) throws(Failure) {
            try act()
        }

        /// Whether sentry and stubs use the CPU.
        private func runs(_ container: GVisorContainer, _ host: Host, within limit: Duration) -> Bool {
            let scanner = ProcessScanner(host)
            let pids = container.processes(on: host)
            func ticks() -> UInt64 {
                pids.compactMap { scanner.stat(of: $0) }.reduce(0) { $0 + $1.userTicks + $1.systemTicks }
            }
            let before = ticks()
            return eventually(within: limit) { ticks() > before }
        }

        private func release(_ result: IsolationResult, _ host: Host) {
            _ = try? Cut.release(result.cut.drops, result.tables.tables + result.links.tables, on: host, apply: apply)
        }

        /// Quarantines lie outside every sandbox.
        private func takeAway(_ frozen: FreezeResult, _ host: Host) {
            Holds.remove(frozen.effects, on: host)
            guard let pin = frozen.quarantine, let group = try? Cgroup(pin, on: host) else { return }
            try? FreezerControl(group).thaw()
            try? group.killAll()
            _ = eventually(within: .seconds(3)) {
                try? group.remove()
                return !group.stillExists()
            }
        }
    }
}
