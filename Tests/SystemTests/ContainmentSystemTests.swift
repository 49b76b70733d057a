import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    @Suite("freezer", .kernel(.root, .cgroup2))
    struct FreezerSystemTests {
        @Test("sleeping processes freeze and are counted", .sandbox, arguments: [1, 100, 1000])
        func counts(children: Int) throws {
            let scene = try Scene("sleepers", "\(children)")
            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.processes == children + 1)
            #expect(result.threads == children + 1)
            #expect(result.groups.map(\.isFrozen) == [true])
            #expect(result.scansAgreed && result.scans >= 2)
            #expect(try scene.group.isFrozenNow())
            #expect(try FreezeCheck(of: result, on: scene.host).stands)
        }

        @Test("RT5 threads are counted, also in nested and in threaded groups", .sandbox)
        func threads() throws {
            let scene = try Scene("sleepers", "2", "--threads", "3")
            let result = try scene.freeze()
            #expect(result.word == .confirmed)
            #expect(result.processes == 3)
            #expect(result.threads == 9)
        }

        @Test("thirty nested groups freeze from the top", .sandbox)
        func nested() throws {
            let scene = try Scene("sleepers", "1")
            var folder = scene.unified
            for level in 0..<30 { folder = folder.subgroup("n\(level)") }
            let child = try scene.sandbox.start(Program(try Sandbox.testkitPath(), ["sleepers", "2"]))
            _ = try child.line { $0.hasPrefix("ready") }
            for pid in try descendants(of: child.id) {
                Files.write("\(pid)", to: "\(folder.path)/cgroup.procs", create: false)
            }
            let result = try scene.freeze()
            #expect(result.groups.first?.processes == 5)
            #expect(result.groups.first?.isFrozen == true)
        }

        @Test("a threaded group is frozen at its domain", .sandbox)
        func threaded() throws {
            let scene = try Scene("sleepers", "1", "--threads", "2")
            let below = scene.unified.subgroup("threads")
            #expect(Files.write("threaded", to: "\(below.path)/cgroup.type", create: false) == 0)
            let pid = try #require(scene.group.processes().last)
            let threads = try ProcessDirectory(pid, on: scene.host).threadIDs()
            Files.write("\(try #require(threads.last))", to: "\(below.path)/cgroup.threads", create: false)
            let named = try Cgroup(scene.group.path.appending("threads"), in: scene.group.hierarchy)
            #expect(try named.type() == .threaded)
            let subject = Subject(
                pin: SessionPin(bootID: scene.host.bootID, cgroups: [named.pin], leader: scene.leader)
            )
            let result = try scene.freeze(subject)
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.groups.map(\.group.path) == [scene.group.path])
            #expect(result.threads == 4)
        }

        @Test("an empty group is told as none, not as success in numbers", .sandbox)
        func empty() throws {
            let sandbox = try Sandbox.of()
            let host = try Host()
            let group = try Cgroup(BytePath("/\(sandbox.name)"), in: try #require(host.unified))
            let subject = Subject(pin: SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: nil))
            let result = try Freezer(host).freeze(subject, FreezePolicy(cut: false)) { _, act throws(Failure) in
                try act()
            }
            #expect(result.processes == 0 && result.threads == 0)
            #expect(result.notes.contains("there is no process in it"))
        }

        @Test("a fork storm does not grow once it is frozen", .kernel(.v1freezer), .sandbox)
        func storm() throws {
            let scene = try Scene("forkstorm", "20")
            let result = try scene.freeze(policy: FreezePolicy(patienceMilliseconds: 8000))
            #expect(result.groups.first?.isFrozen == true, "\(result)")
            let before = try scene.group.processes().count
            #expect(eventually(within: .milliseconds(200)) { (try? scene.group.processes().count) != before } == false)
            let killed = try Killer(scene.host).kill(
                result,
                scene.subject,
                KillPolicy(watchMilliseconds: 0),
                apply: scene.record
            )
            #expect(killed.remaining.isEmpty)
            #expect(try !FreezerControl(scene.group).isPopulated())
        }

        @Test("stopped and vforking processes count as frozen", .sandbox)
        func special() throws {
            let scene = try Scene("vfork")
            for pid in try scene.group.processes() { Glibc.kill(pid, SIGSTOP) }
            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.processes == 3)
        }

        @Test("RT5 a process whose first thread has ended is frozen with its others", .sandbox)
        func zombieLeader() throws {
            let scene = try Scene("zombieleader")
            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.threads >= 2)
        }

        @Test("what somebody else froze before stays frozen after thaw", .sandbox)
        func frozenBefore() throws {
            let scene = try Scene("sleepers", "2")
            scene.unified.setFrozen(true)
            #expect(eventually { scene.unified.isFrozen })
            let result = try scene.freeze()
            #expect(result.word == .confirmed)
            #expect(result.groups.first?.requestedBefore == true)
            let thawed = try scene.thaw(result)
            #expect(thawed.leftFrozen == [scene.group.pin])
            #expect(scene.unified.isFrozen)
        }

        @Test(
            "v1 and v2 that disagree: a paused v1 group holds, and the v2 request takes over",
            .kernel(.v1freezer),
            .sandbox
        )
        func disagreement() throws {
            let scene = try Scene("sleepers", "2", placement: .both)
            let freezer = try #require(scene.sandbox.freezer)
            freezer.setFrozen(true)
            #expect(eventually { freezer.isFrozen })
            let result = try scene.freeze(scene.subjectInBoth())
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.processes == 3)
            freezer.setFrozen(false)
            #expect(eventually { scene.unified.isFrozen })
        }

        @Test("a session that only v1 knows freezes there", .kernel(.v1freezer), .sandbox)
        func versionOneOnly() throws {
            let scene = try Scene("sleepers", "3", placement: .freezer)
            let result = try scene.freeze(scene.subjectInFreezer())
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.processes == 4)
            let thawed = try scene.thaw(result)
            #expect(thawed.isComplete)
            #expect(scene.sandbox.freezer?.isFrozen == false)
        }

        @Test("RT5 a thread in another v1 freezer group is found and held", .kernel(.v1freezer), .sandbox)
        func threadElsewhere() throws {
            let sandbox = try Sandbox.of()
            let other = try #require(sandbox.freezer).subgroup("other")
            let own = try #require(sandbox.freezer).subgroup("own")
            let program = Program(
                try Sandbox.testkitPath(),
                ["enter", own.path, "--", try Sandbox.testkitPath(), "threadgroup", other.path]
            )
            let child = try sandbox.start(program)
            let ready = try child.line { $0.hasPrefix("ready") }.split(separator: " ").compactMap { Int32($0) }
            let host = try Host()
            let hierarchy = try #require(host.freezer)
            let group = try Cgroup(BytePath("/\(sandbox.name)/own"), in: hierarchy)
            let pin = try ProcessDirectory(ready[0], on: host).stat().pin
            let subject = Subject(pin: SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: pin))
            var done: [ContainmentEffect] = []
            let result = try Freezer(host).freeze(subject) { effects, act throws(Failure) in
                try act()
                done += effects
            }
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.threads == 2)
            #expect(done.contains { if case .moveThread(_, ready[1], _, _) = $0 { true } else { false } })
            let before = try switches(ready[0], ready[1], host)
            usleep(50_000)
            #expect(try switches(ready[0], ready[1], host) == before)
            let thawed = try Thaw.thaw(done, members: result.members, on: host) { _, act throws(Failure) in try act() }
            #expect(thawed.isComplete, "\(thawed)")
            #expect(
                try ProcessDirectory(ready[0], on: host).threadCgroups(ready[1]).contains {
                    $0.path.lastComponent == BytePath("other")
                }
            )
        }

        private func switches(_ pid: Int32, _ thread: Int32, _ host: Host) throws -> [UInt8] {
            try ProcessDirectory(pid, on: host).contents("task/\(thread)/status").split(separator: 10)
                .filter { $0.starts(with: "voluntary".utf8) || $0.starts(with: "nonvol".utf8) }.flatMap { $0 }
        }
    }
}

/// A session in a sandbox: its group, its leader, and a record of the effects.
final class Scene {
    let sandbox: Sandbox
    let host: Host
    let unified: TestCgroup
    let group: Cgroup
    let leader: ProcessPin
    let child: Child
    let ready: [Int32]
    private(set) var effects: [ContainmentEffect] = []

    /// Starts a testkit command in the sandbox's groups. With `room` it starts in subgroups of that name, so that there is
    /// an elsewhere in the sandbox too; with `alsoVersionOne` in that of the v1 freezer as well.
    init(
        _ arguments: String...,
        placement: Sandbox.Placement = .unified,
        room: String? = nil,
        alsoVersionOne: Bool = false
    ) throws {
        sandbox = try Sandbox.of()
        host = try Host()
        let testkit = try Sandbox.testkitPath()
        if let room {
            let roots = [sandbox.unified] + (alsoVersionOne ? [sandbox.freezer] : [])
            let groups = roots.compactMap { $0?.subgroup(room) }
            let program = Program(testkit, ["enter"] + groups.map(\.path) + ["--", testkit] + arguments)
            child = try sandbox.start(program)
            ready = try child.line { $0.hasPrefix("ready") }.split(separator: " ").compactMap { Int32($0) }
            unified = try #require(groups.first)
            group = try Cgroup(BytePath("/\(sandbox.name)/\(room)"), in: try #require(host.unified))
            leader = try ProcessDirectory(child.id, on: host).stat().pin
            return
        }
        child = try sandbox.start(Program(testkit, arguments), in: placement)
        ready = try child.line { $0.hasPrefix("ready") }.split(separator: " ").compactMap { Int32($0) }
        unified = try #require(sandbox.unified)
        group = try Cgroup(BytePath("/\(sandbox.name)"), in: try #require(host.unified))
        leader = try ProcessDirectory(child.id, on: host).stat().pin
    }

    var subject: Subject { Subject(pin: SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: leader)) }

    func subjectInFreezer() throws -> Subject {
        let freezer = try Cgroup(BytePath("/\(sandbox.name)"), in: try #require(host.freezer))
        return Subject(pin: SessionPin(bootID: host.bootID, cgroups: [freezer.pin], leader: leader))
    }

    func subjectInBoth() throws -> Subject {
        Subject(
            pin: SessionPin(
                bootID: host.bootID,
                cgroups: [group.pin] + (try subjectInFreezer().pin.cgroups),
                leader: leader
            )
        )
    }

    func freeze(_ other: Subject? = nil, policy: FreezePolicy = FreezePolicy()) throws -> FreezeResult {
        try Freezer(host).freeze(other ?? subject, policy, apply: record)
    }

    func thaw(_ result: FreezeResult, release: Bool = true) throws -> ThawResult {
        try Thaw.thaw(result.effects, members: result.members, release: release, on: host) { _, act throws(Failure) in
            try act()
        }
    }

    func record(_ batch: [ContainmentEffect], _ act: () throws(Failure) -> Void) throws(Failure) {
        try act()
        effects += batch
    }

    deinit {
        Holds.remove(effects, on: host)
        // Quarantine groups lie outside the sandbox: whatever a test did, they are taken away.
        for case .makeGroup(let hierarchy, let name) in effects {
            guard let found = host.hierarchy(named: hierarchy), let made = try? Cgroup(BytePath("/" + name), in: found)
            else { continue }
            try? FreezerControl(made).thaw()
            if found.isUnified { try? made.killAll() }
            _ = eventually(within: .seconds(3)) {
                try? made.remove()
                return !made.stillExists()
            }
        }
    }
}

extension Cgroup {
    func isFrozenNow() throws -> Bool { try FreezerControl(self).current() == .frozen }
}

/// A process and everything below it, by parent.
func descendants(of pid: Int32) throws -> [Int32] {
    let host = try Host()
    let scanner = ProcessScanner(host)
    let parents = try scanner.pids().compactMap { pid in scanner.stat(of: pid).map { (pid, $0.parent) } }
    var found = [pid]
    var index = 0
    while index < found.count {
        found += parents.filter { $0.1 == found[index] }.map(\.0)
        index += 1
    }
    return found
}
