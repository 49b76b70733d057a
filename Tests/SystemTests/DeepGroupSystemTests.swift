import Base
import Containment
import Glibc
import Kernel
import Programs
import Sessions
import Testing

extension SystemTests {
    /// Groups below a session's own that nobody may have to walk before a freeze.
    @Suite("deep and many groups", .kernel(.root, .cgroup2))
    struct DeepGroupSystemTests {
        @Test("groups nested beyond the longest path hold up no freeze, and who stands at the bottom is held", .sandbox)
        func deep() throws {
            let scene = try Scene("sleepers", "2", room: "session")
            let nest = try Nest(below: scene.unified.path)
            let sunk = try #require(try scene.group.processes().last)
            try nest.take(sunk)
            let resolver = SessionResolver(host: scene.host)
            let byPath = try resolver.resolve(.cgroup(scene.group.path))
            #expect(byPath.leader?.pin == scene.leader && byPath.members.count == 3, "\(byPath)")
            #expect(try resolver.resolve(.name(BytePath(scene.sandbox.name))).members.count == 3)
            #expect(try resolver.resolve(.pid(scene.leader.pid)).members.count == 3)

            // Who began before the freeze was proven and is brought in after it is a guest.
            let guest = try scene.sandbox.testkit("sleepers", "0", in: .none)
            let born = try #require(ProcessScanner(scene.host).stat(of: guest.id)?.startTicks)
            #expect(eventually { Ticks.now() > born })
            let result = try scene.freeze(Subject(pin: byPath.pin))
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.processes == 3 && result.strays.isEmpty)
            #expect(result.members.map(\.pid).contains(sunk))
            #expect(try FreezeCheck(of: result, on: scene.host).stands)
            try nest.take(guest.id)
            let killed = try Killer(scene.host).kill(
                result,
                scene.subject,
                KillPolicy(watchMilliseconds: 0),
                apply: scene.record
            )
            #expect(killed.isComplete && killed.processes == 3, "\(killed)")
            #expect(killed.spared.map(\.process.pid) == [guest.id] && !guest.hasEnded)
            nest.remove()
        }

        @Test("RT11 Quell leaves a group that is nested beyond the longest path, too")
        func ownGroup() async {
            defer { if let mount = CgroupMounts.unified { Nest.clear("\(mount)/quell-test-\(getpid())-99999") } }
            await #expect(processExitsWith: .success) {
                let host = try Host()
                guard let unified = host.unified, let mount = CgroupMounts.unified else { exit(70) }
                let group = try Cgroup(BytePath("/"), in: unified).makeChild("quell-test-\(getppid())-99999")
                let child = try Program("/bin/sleep", ["60"]).start()
                try group.adopt(child.id)
                let nest = try Nest(below: mount + "/" + (group.path.lastComponent.text ?? ""))
                try nest.take(getpid())
                let leader = try ProcessDirectory(child.id, on: host).stat().pin
                let subject = Subject(pin: SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: leader))
                let result = try Freezer(host).freeze(subject) { _, act throws(Failure) in try act() }
                let isOut = try ProcessDirectory(getpid(), on: host).cgroups()
                    .contains { $0.hierarchy == "v2" && $0.path == BytePath("/") }
                let status: Int32 = !isOut ? 71 : result.processes != 1 ? 72 : result.word == .confirmed ? 0 : 73
                try group.killAll()
                _ = try FreezerControl(group).waitUntilEmpty(until: Deadline(after: .seconds(5)))
                nest.remove()
                try group.remove()
                exit(status)
            }
        }

        @Test("who stands in more groups than there is time for is found by where each process stands", .sandbox)
        func many() throws {
            // An older one that has ended and is not reaped is nobody's leader.
            let old = try Sandbox.of().testkit("sleepers", "1", in: .none)
            let ended = try #require(try descendants(of: old.id).last)
            let scene = try Scene("sleepers", "1", room: "session")
            Files.write("\(ended)", to: "\(scene.unified.path)/cgroup.procs", create: false)
            Glibc.kill(ended, SIGKILL)
            #expect(eventually { ProcessScanner(scene.host).stat(of: ended)?.isDead == true })
            for number in 0..<200 { _ = scene.unified.subgroup("g\(number)") }
            var seen = 0
            let isWhole = try scene.group.forEachInTree(until: Deadline(after: .zero)) { _ in seen += 1 }
            #expect(!isWhole && seen == 64)

            var resolver = SessionResolver(host: scene.host)
            resolver.patience = .zero
            let session = try resolver.resolve(.cgroup(scene.group.path))
            #expect(session.leader?.pin == scene.leader && session.members.count == 2, "\(session)")
            #expect(session.failures.isEmpty && session.pin.cgroups == [scene.group.pin])
            #expect(try resolver.resolve(.pid(scene.leader.pid)).pin.cgroups == [scene.group.pin])
            let result = try scene.freeze(Subject(pin: session.pin))
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.processes == 2)
        }
    }
}

/// Eighteen groups inside each other whose path is longer than PATH_MAX: they are reached only step by step.
private final class Nest {
    private static let name = String(repeating: "d", count: 250)
    private static let depth = 18
    private let bottom: Int32
    private var isRemoved = false

    struct Unmade: Error { let errno: Int32 }

    init(below folder: String) throws {
        var here = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for _ in 0..<Nest.depth {
            guard mkdirat(here, Nest.name, 0o755) == 0 else { throw Unmade(errno: errno) }
            let below = Glibc.openat(here, Nest.name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            Glibc.close(here)
            here = below
        }
        bottom = here
    }

    /// Moves a process into the lowest group.
    func take(_ pid: Int32) throws {
        let file = Glibc.openat(bottom, "cgroup.procs", O_WRONLY | O_CLOEXEC)
        defer { Glibc.close(file) }
        let text = "\(pid)"
        guard Glibc.write(file, text, text.utf8.count) > 0 else { throw Unmade(errno: errno) }
    }

    /// Kills who stands in it and removes every group, the lowest first.
    func remove() {
        guard !isRemoved else { return }
        isRemoved = true
        let kill = Glibc.openat(bottom, "cgroup.kill", O_WRONLY | O_CLOEXEC)
        _ = Glibc.write(kill, "1", 1)
        Glibc.close(kill)
        Nest.close(bottom, nested: Nest.depth)
    }

    deinit { remove() }

    /// Takes away a group with what a test that was ended left in it; does nothing when it is not there.
    static func clear(_ folder: String) {
        var here = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard here >= 0 else { return }
        let group = TestCgroup(path: folder, hierarchy: .unified)
        group.setFrozen(false)
        Files.write("1", to: "\(folder)/cgroup.kill", create: false)
        var depth = 0
        while true {
            let below = Glibc.openat(here, Nest.name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard below >= 0 else { break }
            Glibc.close(here)
            here = below
            depth += 1
        }
        close(here, nested: depth)
        _ = group.destroy()
    }

    /// Removes the groups from this one up to the first, and closes it.
    private static func close(_ bottom: Int32, nested depth: Int) {
        var here = bottom
        for _ in 0..<depth {
            let above = Glibc.openat(here, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            Glibc.close(here)
            _ = eventually(within: .seconds(5)) { unlinkat(above, Nest.name, AT_REMOVEDIR) == 0 || errno == ENOENT }
            here = above
        }
        Glibc.close(here)
    }
}
