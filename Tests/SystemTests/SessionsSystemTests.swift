import Base
import Glibc
import Kernel
import Programs
import Sessions
import Testing

extension SystemTests {
    @Suite("sessions", .kernel(.root, .cgroup2))
    struct SessionsSystemTests {
        @Test("a cgroup with a leader and its children is one session, own in both hierarchies", .sandbox)
        func ownCgroup() throws {
            let sandbox = try Sandbox.of()
            let child = try sandbox.testkit("sleepers", "5", "--threads", "2")
            let resolver = SessionResolver(host: try Host())
            let session = try resolver.resolve(.cgroup(BytePath("/\(sandbox.name)")))
            #expect(session.leader?.pin.pid == child.id)
            #expect(session.members.count == 6 && session.guests.isEmpty && session.failures.isEmpty)
            #expect(session.pin.cgroups.count == (sandbox.freezer == nil ? 1 : 2))
            #expect(session.cgroups.filter(\.isOwn).count == session.cgroups.count)
            let byName = try resolver.resolve(.name(BytePath(sandbox.name)))
            let byPid = try resolver.resolve(.pid(child.id))
            #expect(byName.pin == session.pin)
            #expect(byPid.pin.isSameSession(as: session.pin) && byPid.members.count == 6)
            let again = try resolver.repin(session.pin)
            // Not what they do at the moment, which changes between two looks.
            #expect(again.pin == session.pin && again.members.map(\.pin) == session.members.map(\.pin))
            #expect(again.members.map(\.lineage) == session.members.map(\.lineage))
        }

        @Test("children that forked twice or called setsid stay members of the cgroup they stand in", .sandbox)
        func orphans() throws {
            let sandbox = try Sandbox.of()
            let child = try sandbox.testkit("doublefork")
            let resolver = SessionResolver(host: try Host())
            let session = try resolver.resolve(.cgroup(BytePath("/\(sandbox.name)")))
            #expect(session.leader?.pin.pid == child.id)
            #expect(session.members.count > 1 && session.guests.isEmpty)
            #expect(session.pin.cgroups.first?.hierarchy == "v2")
        }

        @Test("RT11 a process of somebody else in the cgroup is a guest", .sandbox)
        func guest() throws {
            let sandbox = try Sandbox.of()
            let agent = try sandbox.testkit("sleepers", "1")
            let guest = try sandbox.testkit("sleepers", "0")
            let session = try SessionResolver(host: try Host()).resolve(.cgroup(BytePath("/\(sandbox.name)")))
            #expect(session.leader?.pin.pid == agent.id)
            #expect(session.guests.map(\.pin.pid) == [guest.id])
            #expect(session.cgroups.first?.isOwn == false && !session.pin.cgroups.isEmpty)
        }

        @Test("RT11 Quell itself is neither leader nor member nor guest of a session that it was moved into", .sandbox)
        func ownProcess() throws {
            let sandbox = try Sandbox.of()
            let group = try #require(sandbox.unified)
            let agent = try sandbox.testkit("sleepers", "0", in: .unified)
            // This very process is older than the agent; it stands in the group only inside this block.
            let home = "\(CgroupMounts.unified ?? "")/cgroup.procs"
            #expect(Files.write("\(getpid())", to: "\(group.path)/cgroup.procs", create: false) == 0)
            defer { Files.write("\(getpid())", to: home, create: false) }
            let session = try SessionResolver(host: try Host()).resolve(.cgroup(BytePath("/\(sandbox.name)")))
            #expect(session.leader?.pin.pid == agent.id)
            #expect(session.members.map(\.pin.pid) == [agent.id])
            var resolver = SessionResolver(host: try Host())
            resolver.pinsOnly = true
            let pinned = try resolver.resolve(.cgroup(BytePath("/\(sandbox.name)")))
            #expect(pinned.pin == session.pin)
        }

        @Test("a crowd is pinned before a freeze as a look at everybody pins it, an older stranger with it", .sandbox)
        func pinned() throws {
            let sandbox = try Sandbox.of()
            let older = try sandbox.testkit("sleepers", "0", in: .none)
            let agent = try sandbox.testkit("sleepers", "600")
            var resolver = SessionResolver(host: try Host())
            let path = BytePath("/\(sandbox.name)")
            let whole = try resolver.resolve(.cgroup(path))
            resolver.pinsOnly = true
            let quick = try resolver.resolve(.cgroup(path))
            #expect(quick.pin == whole.pin && quick.pin.leader?.pid == agent.id)
            #expect(quick.members.count == 1 && whole.members.count == 601)
            for group in [sandbox.unified, sandbox.freezer].compactMap({ $0 }) {
                #expect(Files.write("\(older.id)", to: "\(group.path)/cgroup.procs", create: false) == 0)
            }
            let joined = try resolver.resolve(.cgroup(path))
            #expect(joined.pin.leader?.pid == older.id)
            resolver.pinsOnly = false
            let looked = try resolver.resolve(.cgroup(path))
            #expect(joined.pin == looked.pin)
        }

        @Test("RT35 a name that ends in (deleted) or holds shell words names its own cgroup only", .sandbox)
        func hostileNames() throws {
            let sandbox = try Sandbox.of()
            let top = try #require(sandbox.unified)
            let resolver = SessionResolver(host: try Host())
            for name in ["rt (deleted)", "rt$(id)", "`id`", "-rt", "a; b"] {
                let group = top.subgroup(name)
                let child = try sandbox.testkit("sleepers", "0", in: .none)
                #expect(Files.write("\(child.id)", to: "\(group.path)/cgroup.procs", create: false) == 0)
                let session = try resolver.resolve(.cgroup(BytePath("/\(sandbox.name)/\(name)")))
                #expect(session.leader?.pin.pid == child.id)
                let named = try resolver.resolve(.name(BytePath(name)))
                #expect(named.pin == session.pin)
                let around = try resolver.resolve(.pid(child.id))
                #expect(around.pin.cgroups.map(\.path) == session.pin.cgroups.map(\.path))
            }
            #expect(throws: Failure.self) { try resolver.resolve(.cgroup(BytePath("/\(sandbox.name)/rt"))) }
        }

        @Test("RT34 a cgroup removed and made anew is another session, and a dead leader without one is gone", .sandbox)
        func madeAnew() throws {
            let sandbox = try Sandbox.of()
            let top = try #require(sandbox.unified)
            let group = top.subgroup("again")
            let resolver = SessionResolver(host: try Host())
            let path = BytePath("/\(sandbox.name)/again")
            let empty = try resolver.resolve(.cgroup(path))
            #expect(empty.members.isEmpty && empty.leader == nil && empty.pin.cgroups.count == 1)
            rmdir(group.path)
            let gone = #expect(throws: Failure.self) { try resolver.repin(empty.pin) }
            #expect(gone?.code == .notFound)
            _ = top.subgroup("again")
            let anew = #expect(throws: Failure.self) { try resolver.repin(empty.pin) }
            #expect(anew?.code == .changed)
        }

        @Test("a process that ended is not the session that its pid names now", .sandbox)
        func endedProcess() throws {
            let sandbox = try Sandbox.of()
            let child = try sandbox.testkit("sleepers", "0", in: .none)
            let resolver = SessionResolver(host: try Host())
            let pin = try resolver.resolve(.pid(child.id)).pin
            let leader = try #require(pin.leader)
            let stale = SessionPin(
                bootID: pin.bootID,
                cgroups: [],
                leader: ProcessPin(pid: leader.pid, startTicks: leader.startTicks - 1)
            )
            let changed = #expect(throws: Failure.self) { try resolver.repin(stale) }
            #expect(changed?.code == .changed)
            child.signal(SIGKILL)
            _ = eventually(within: .seconds(5)) { child.hasEnded }
            let ended = #expect(throws: Failure.self) { try resolver.repin(pin) }
            #expect(ended?.code == .notFound)
        }

        @Test("a full snapshot of a frozen session holds arguments, open files and every thread", .sandbox)
        func snapshot() throws {
            let sandbox = try Sandbox.of()
            let path = "\(sandbox.folder)/held"
            let child = try sandbox.testkit("holdfile", path)
            let host = try Host()
            let session = try SessionResolver(host: host).resolve(.cgroup(BytePath("/\(sandbox.name)")))
            let snapshot = SessionSnapshot.take(session.subjects, on: host, depth: .full)
            let record = try #require(snapshot.records.first { $0.pid == child.id })
            #expect(record.failures.isEmpty)
            #expect(record.argv?.dropFirst().first == BytePath("holdfile"))
            #expect(record.openFiles?.contains { $0.deleted && $0.kind == "file" } == true)
            #expect(record.environNames?.contains(BytePath("QUELL_TEST_SANDBOX")) == true)
            #expect(record.threads.map(\.tid) == [child.id])
        }
    }
}
