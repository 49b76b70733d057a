import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    /// What a freeze says when something does not go as planned: never more than was proven, and never less done.
    @Suite("verdicts", .kernel(.root, .cgroup2))
    struct VerdictSystemTests {
        @Test("a session with more groups than Quell has descriptors is frozen all the same", .sandbox)
        func manyGroups() async throws {
            let scene = try Scene("sleepers", "2")
            for number in 0..<100 { _ = scene.unified.subgroup("g\(number)") }
            let name = scene.sandbox.name
            let pid = scene.leader.pid
            await #expect(processExitsWith: .success) { [name = name as String, pid = pid as Int32] in
                var limit = rlimit(rlim_cur: 64, rlim_max: 64)
                guard setrlimit(__rlimit_resource_t(7), &limit) == 0 else { exit(70) }
                let host = try Host()
                guard let unified = host.unified else { exit(71) }
                let group = try Cgroup(BytePath("/\(name)"), in: unified)
                let leader = try ProcessDirectory(pid, on: host).stat().pin
                let pin = SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: leader)
                let result = try Freezer(host).freeze(Subject(pin: pin)) { _, act throws(Failure) in try act() }
                exit(result.word == .confirmed && result.processes == 3 ? 0 : 72)
            }
            #expect(scene.unified.isFrozen)
        }

        @Test("a drop that cannot be made is told and stops no freeze", .sandbox, arguments: [true, false])
        func withoutBPF(hasOwnGroup: Bool) async throws {
            let scene = try Scene("sleepers", "2")
            let name = scene.sandbox.name
            let pid = scene.leader.pid
            await #expect(processExitsWith: .success) {
                [name = name as String, pid = pid as Int32, hasOwnGroup = hasOwnGroup as Bool] in
                let host = try Host()
                guard let unified = host.unified else { exit(70) }
                let group = try Cgroup(BytePath("/\(name)"), in: unified)
                let leader = try ProcessDirectory(pid, on: host).stat().pin
                guard Rights.dropNetworkAndBPF() == 0 else { exit(71) }
                let groups = hasOwnGroup ? [group.pin] : []
                let subject = Subject(pin: SessionPin(bootID: host.bootID, cgroups: groups, leader: leader))
                let result = try Freezer(host).freeze(subject) { _, act throws(Failure) in try act() }
                var status: Int32 = 0
                if result.word != .confirmed || result.processes != 3 || result.bySignals { status = 72 }
                if result.cut?.drops.isEmpty != true || result.cut?.failures.isEmpty != false { status = 73 }
                let thawed = try Thaw.thaw(result.effects, members: [], on: host) { _, act throws(Failure) in
                    try act()
                }
                exit(thawed.isComplete ? status : 74)
            }
        }

        @Test(
            "a paused v1 group proves only those threads that stand in it",
            .kernel(.v1freezer),
            .sandbox
        )
        func pausedInPart() throws {
            let scene = try Scene("sleepers", "2", placement: .both)
            let freezer = try #require(scene.sandbox.freezer)
            let outside = try #require(freezer.processes.last)
            let root = freezer.path.dropLast(scene.sandbox.name.utf8.count + 1)
            #expect(Files.write("\(outside)", to: "\(root)/cgroup.procs", create: false) == 0)
            freezer.setFrozen(true)
            #expect(eventually { freezer.isFrozen })
            let result = try scene.freeze(scene.subjectInBoth())
            #expect(result.word == .confirmed, "\(result)")
            scene.unified.setFrozen(false)
            let check = try FreezeCheck(of: result, on: scene.host)
            #expect(!check.stands)
            #expect(check.thawed == [scene.group.pin])
        }

        @Test("a group that is thawed during the freeze is not called frozen", .kernel(.v1freezer), .sandbox)
        func thawedMeanwhile() throws {
            let scene = try Scene("sleepers", "2", placement: .both)
            let result = try Freezer(scene.host).freeze(try scene.subjectInBoth()) { effects, act throws(Failure) in
                try act()
                if case .attachDrop = effects.first { scene.unified.setFrozen(false) }
            }
            #expect(result.word == .unconfirmed)
            #expect(result.times.frozen == nil && result.times.proven == nil)
            #expect(!result.stuck.isEmpty)
        }

        @Test("a group without processes is not called confirmed", .sandbox)
        func empty() throws {
            let sandbox = try Sandbox.of()
            let host = try Host()
            let group = try Cgroup(BytePath("/\(sandbox.name)"), in: try #require(host.unified))
            let subject = Subject(pin: SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: nil))
            let result = try Freezer(host).freeze(subject) { _, act throws(Failure) in try act() }
            #expect(result.word == .partial)
        }
    }
}

/// Gives up rights of the calling thread: CAP_NET_ADMIN, CAP_SYS_ADMIN and CAP_BPF, capabilities(7).
enum Rights {
    private typealias Call = @convention(c) (UnsafeMutableRawPointer, UnsafeMutableRawPointer) -> Int32

    static func dropNetworkAndBPF() -> Int32 {
        guard let get = dlsym(nil, "capget"), let set = dlsym(nil, "capset") else { return -1 }
        // struct __user_cap_header_struct, version 3; two struct __user_cap_data_struct.
        var header: [UInt32] = [0x2008_0522, 0]
        var sets = [UInt32](repeating: 0, count: 6)
        guard unsafeBitCast(get, to: Call.self)(&header, &sets) == 0 else { return -1 }
        for index in 0..<3 {
            sets[index] &= ~(UInt32(1) << 12 | UInt32(1) << 21)
            sets[index + 3] &= ~(UInt32(1) << 7)
        }
        return unsafeBitCast(set, to: Call.self)(&header, &sets)
    }
}
