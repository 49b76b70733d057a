import Base
import Containment
import Glibc
import Kernel
import Programs
import Sessions
import Testing

/// A session of one runtime, as the conformance suite wants it: a first process, one that burns the CPU, one that sleeps.
private struct RuntimeScene {
    /// How a responder names it.
    let locator: String
    /// Where the files of its runtime lie.
    var root = BytePath("/")
    /// Its groups, v2 first.
    let groups: [TestCgroup]
    /// How many processes it has.
    let size: Int
    /// What Quell calls its runtime.
    let kind: SessionRuntime.Kind
    /// A process of it that runs without end.
    let busy: Int32
    /// A process of it that can be moved elsewhere.
    let sleeper: Int32
}

/// The runtimes that the suite is run over.
enum TestedRuntime: String, CaseIterable, Sendable {
    case rawCgroups, podman, docker, runc, crun, lxc, nspawn

    /// Those that stand in a v1 freezer group of their own, too.
    static let inBothHierarchies: [TestedRuntime] = [.rawCgroups, .podman, .docker, .runc, .lxc]

    /// Starts a session, gives it to `body` and takes it away.
    fileprivate func with(_ body: (RuntimeScene) throws -> Void) throws {
        switch self {
        case .rawCgroups:
            let sandbox = try Sandbox.of()
            let rooms = [sandbox.unified, sandbox.freezer].compactMap { $0?.subgroup("session") }
            let enter = ["enter"] + rooms.map(\.path) + ["--", "/bin/sh", "-c", Conformance.work]
            _ = try sandbox.start(Program(try Sandbox.testkitPath(), enter))
            try body(try TestedRuntime.scene("cgroup:/\(sandbox.name)/session", rooms, .process))
        case .podman:
            try PodmanContainer.with(command: "sh", "-c", Conformance.work) { container in
                try body(try TestedRuntime.scene("podman:\(container.name)", container.groups, .podman))
                #expect(try container.status().isEmpty == false, "podman still knows it")
            }
        case .docker:
            try DockerEngine.with(command: "sh", "-c", Conformance.work) { container in
                var scene = try TestedRuntime.scene(container.locator, container.groups, .docker)
                scene.root = BytePath(try Sandbox.of().folder)
                try body(scene)
            }
        case .runc, .crun:
            try OCIRuntime(self == .runc ? .runc : .crun).with(command: Conformance.work) { container in
                try body(try TestedRuntime.scene(container.locator, container.groups, container.kind))
            }
        case .lxc:
            try LXCContainer.with(command: Conformance.work) { container in
                try body(try TestedRuntime.scene("lxc:\(container.name)", container.groups, .lxc))
            }
        case .nspawn:
            try NspawnContainer.with(command: Conformance.work) { container in
                // systemd-nspawn itself and its init are of the session.
                try body(try TestedRuntime.scene("nspawn:\(container.name)", container.groups, .nspawn, size: 5))
            }
        }
    }

    private static func scene(
        _ locator: String,
        _ groups: [TestCgroup],
        _ kind: SessionRuntime.Kind,
        size: Int = 3
    ) throws -> RuntimeScene {
        let host = try Host()
        var busy: Int32?
        var sleeper: Int32?
        let isReady = eventually(within: .seconds(10)) {
            let scanner = ProcessScanner(host)
            let unified = groups.filter { $0.hierarchy == .unified }.flatMap(\.processes)
            let all = unified.compactMap { scanner.namedStat(of: $0) }
            // The first process may have used the CPU as the runtime that it was: the one that burns is its child.
            let sleep = all.first { $0.name == BytePath("sleep") }
            busy = all.first { $0.numbers.parent == sleep?.numbers.parent && $0.pid != sleep?.pid }?.pid
            sleeper = sleep?.pid
            return busy != nil && sleeper != nil && all.count == size
        }
        try #require(isReady)
        return RuntimeScene(
            locator: locator,
            groups: groups,
            size: size,
            kind: kind,
            busy: try #require(busy),
            sleeper: try #require(sleeper)
        )
    }
}

extension SystemTests {
    /// What every runtime has to hold; a new one is a case of ``TestedRuntime``.
    @Suite(
        "runtimes",
        .kernel(.root, .cgroup2, .podman, .docker, .program("crun"), .program("lxc-start"), .program("systemd-nspawn"))
    )
    struct RuntimeSystemTests {
        @Test(
            "freeze is confirmed and nothing runs, a stray is held, thaw brings all of it back, kill leaves nothing",
            .sandbox,
            arguments: TestedRuntime.allCases
        )
        func conforms(runtime: TestedRuntime) throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            try runtime.with { scene in
                let host = try Host()
                let session = try SessionResolver(host: host, root: scene.root).resolve(Locator(parsing: scene.locator))
                let hierarchies = scene.groups.map { $0.hierarchy == .unified ? "v2" : "v1:freezer" }
                #expect(session.pin.cgroups.map(\.hierarchy).sorted() == hierarchies.sorted())
                #expect(session.members.count == scene.size && session.runtime == scene.kind, "\(session.members)")
                let subject = Subject(session)
                Files.write("\(scene.sleeper)", to: "\(elsewhere.path)/cgroup.procs", create: false)

                let place = FreezePolicy(root: scene.root)
                let frozen = try Freezer(host).freeze(subject, place, apply: Conformance.apply)
                defer { Conformance.takeAway(frozen, host) }
                #expect(frozen.word == .confirmed, "\(frozen)")
                #expect(frozen.processes == scene.size)
                #expect(frozen.strays.map(\.process.pid) == [scene.sleeper])
                #expect(frozen.strays.allSatisfy(\.isHeld) && elsewhere.processes.isEmpty)
                #expect(frozen.coveredGroups.map(\.hierarchy) == hierarchies.filter { $0 != "v2" })
                #expect(!Conformance.runs(scene.busy, host, within: .milliseconds(200)))
                let cut = try #require(frozen.cut)
                // One for each group that holds, and one for the quarantine with the stray.
                #expect(cut.drops.count == hierarchies.count { $0 == "v2" } + 1 && cut.failures.isEmpty, "\(cut)")
                #expect(try Cut.stands(cut, on: host))
                #expect(try FreezeCheck(of: frozen, on: host).stands)

                let thawed = try Thaw.thaw(
                    frozen.effects,
                    members: frozen.members,
                    release: true,
                    on: host,
                    apply: Conformance.apply
                )
                #expect(thawed.isComplete, "\(thawed)")
                #expect(Conformance.runs(scene.busy, host, within: .seconds(5)))
                #expect(elsewhere.processes == [scene.sleeper])
                #expect(try !Cut.stands(cut, on: host))

                let again = try Freezer(host).freeze(subject, place, apply: Conformance.apply)
                defer { Conformance.takeAway(again, host) }
                #expect(again.word == .confirmed, "\(again)")
                let policy = KillPolicy(watchMilliseconds: 500)
                let killed = try Killer(host).kill(again, subject, policy, apply: Conformance.apply)
                #expect(killed.isComplete, "\(killed)")
                #expect(killed.processes == scene.size && killed.emptied.count == again.groups.count)
                #expect(scene.groups.allSatisfy { $0.processes.isEmpty } && elsewhere.processes.isEmpty)
            }
        }

        @Test(
            "RT8 what froze it before in v1 is said, and v2 holds it when that one thaws",
            .sandbox,
            arguments: TestedRuntime.inBothHierarchies
        )
        func frozenBefore(runtime: TestedRuntime) throws {
            try runtime.with { scene in
                let host = try Host()
                let freezer = try #require(scene.groups.first { $0.hierarchy == .freezer })
                #expect(freezer.setFrozen(true) == 0)
                #expect(eventually { freezer.isFrozen })
                let session = try SessionResolver(host: host, root: scene.root).resolve(Locator(parsing: scene.locator))
                let policy = FreezePolicy(root: scene.root)
                let frozen = try Freezer(host).freeze(Subject(session), policy, apply: Conformance.apply)
                defer { Conformance.takeAway(frozen, host) }
                #expect(frozen.word == .confirmed, "\(frozen)")
                #expect(frozen.notes.contains { $0.contains("a v1 freezer held it before") }, "\(frozen.notes)")
                #expect(freezer.setFrozen(false) == 0)
                #expect(!Conformance.runs(scene.busy, host, within: .milliseconds(200)))
                #expect(eventually { (try? FreezeCheck(of: frozen, on: host).thawed.isEmpty) ?? false })
                let thawed = try Thaw.thaw(
                    frozen.effects,
                    members: frozen.members,
                    release: true,
                    on: host,
                    apply: Conformance.apply
                )
                #expect(thawed.isComplete, "\(thawed)")
                #expect(Conformance.runs(scene.busy, host, within: .seconds(5)))
            }
        }

        @Test(
            "any process of a container and its bare name lead to the same groups",
            .sandbox,
            arguments: [TestedRuntime.podman, .docker, .runc, .lxc, .nspawn]
        )
        func anyProcess(runtime: TestedRuntime) throws {
            try runtime.with { scene in
                let resolver = SessionResolver(host: try Host(), root: scene.root)
                let named = try resolver.resolve(try Locator(parsing: scene.locator))
                #expect(named.runtime == scene.kind)
                let bare = scene.locator.split(separator: ":").dropFirst().joined()
                for locator in ["pid:\(scene.busy)", "pid:\(scene.sleeper)", bare] {
                    let found = try resolver.resolve(try Locator(parsing: locator))
                    #expect(Set(found.pin.cgroups) == Set(named.pin.cgroups), "\(locator)")
                    #expect(found.leader?.pin == named.leader?.pin)
                }
            }
        }

        @Test("a stand-in for Firecracker in the jailer's layout is listed with its id and frozen by pid", .sandbox)
        func firecracker() throws {
            let sandbox = try Sandbox.of()
            let rooms = [sandbox.unified, sandbox.freezer].compactMap {
                $0?.subgroup("firecracker").subgroup("551e7604-e35c")
            }
            let machine = try sandbox.copy(try #require(Program.find("dash")), as: "firecracker")
            let enter = ["enter"] + rooms.map(\.path) + ["--", machine, "-c", "while :; do :; done"]
            let child = try sandbox.start(Program(try Sandbox.testkitPath(), enter))
            let host = try Host()
            let isReady = eventually { ProcessScanner(host).namedStat(of: child.id)?.name == BytePath("firecracker") }
            try #require(isReady)
            let list = try SessionList.look(at: host, by: Deadline(after: .seconds(10)))
            let listed = list.sessions.filter { $0.leader.pid == child.id }
            #expect(listed.map(\.runtime.kind) == [.firecracker])
            #expect(listed.first?.runtime.name == BytePath("551e7604-e35c"))
            let session = try SessionResolver(host: host).resolve(.pid(child.id))
            let frozen = try Freezer(host).freeze(Subject(session), apply: Conformance.apply)
            defer { Conformance.takeAway(frozen, host) }
            #expect(frozen.word == .confirmed && frozen.members.map(\.pid) == [child.id], "\(frozen)")
            #expect(!Conformance.runs(child.id, host, within: .milliseconds(200)))
        }

        @Test(
            "the list shows a container with its runtime, its name, its owner and its memory",
            .sandbox,
            arguments: [TestedRuntime.podman, .docker, .runc, .lxc, .nspawn]
        )
        func listed(runtime: TestedRuntime) throws {
            try runtime.with { scene in
                let list = try SessionList.look(at: Host(), root: scene.root, by: Deadline(after: .seconds(10)))
                let resolver = SessionResolver(host: try Host(), root: scene.root)
                let resolved = try resolver.resolve(try Locator(parsing: scene.locator))
                let found = list.sessions.filter { $0.leader == resolved.leader?.pin }
                let only = try #require(found.first)
                #expect(found.count == 1 && only.runtime.kind == scene.kind && only.processes == scene.size)
                #expect(only.uid == 0 && only.memory.bytes > 0)
                let name = scene.locator.split(separator: ":").last.map { BytePath(String($0)) }
                switch runtime {
                case .podman, .docker:
                    #expect(only.runtime.label == name && only.runtime.name?.bytes.count == 64)
                default: #expect(only.runtime.name == name)
                }
            }
        }

        @Test("a container of runc that has exited is no session, and that is said; one that was made is one", .sandbox)
        func runcEnds() throws {
            try OCIRuntime(.runc).with(command: "exit 0") { container in
                let host = try Host()
                let ended = eventually(within: .seconds(10)) { container.state == "stopped" }
                #expect(ended)
                let failure = #expect(throws: Failure.self) {
                    try SessionResolver(host: host).resolve(try Locator(parsing: container.locator))
                }
                #expect(failure?.code == .notFound)
                #expect(failure?.reason == "its first process has ended: nothing of it runs, only its files are left")
                #expect(failure?.hint == "quell sessions show \(container.locator)")
                let list = try SessionList.look(at: host, by: Deadline(after: .seconds(10)))
                let dead = list.dead.filter { "\($0.locator)" == container.locator }
                let bundle = BytePath("\(try Sandbox.of().folder)/bundle-true/rootfs")
                #expect(dead.map(\.files) == [bundle] && dead.first?.made != nil, "\(list.dead)")
            }
            try OCIRuntime(.runc).with(command: "exit 0", isStarted: false) { container in
                let session = try SessionResolver(host: try Host()).resolve(try Locator(parsing: container.locator))
                #expect(session.members.count == 1 && session.runtime == .runc)
            }
        }

        @Test("a container that has exited is no session but a dead one: when, how, and where its files are", .sandbox)
        func exited() throws {
            let before = Instant.now()
            try PodmanContainer.with(command: "sh", "-c", "echo said >/written; exit 3") { container in
                let isOver = try eventually(within: .seconds(10)) { try container.status().hasPrefix("Exited") }
                #expect(isOver)
                let failure = #expect(throws: Failure.self) {
                    try SessionResolver(host: try Host()).resolve(try Locator(parsing: "podman:\(container.name)"))
                }
                #expect(failure?.code == .notFound)
                // The runtime's state goes a moment after podman says so.
                #expect(failure?.reason.hasSuffix(": nothing of it runs, only its files are left") == true)
                #expect(failure?.hint == "quell sessions show podman:\(container.id)")
                let list = try SessionList.look(at: Host(), by: Deadline(after: .seconds(10)))
                let dead = try #require(list.dead.first { $0.id == BytePath(container.id) })
                #expect(dead.names == [BytePath(container.name)] && dead.exitStatus == 3 && dead.wasStarted)
                let (made, ended) = (try #require(dead.made), try #require(dead.ended))
                #expect(before < ended && made < ended && ended < Instant.now())
                let files = try #require(dead.files)
                #expect(Files.text("\(files)/written") == "said\n")
                #expect(dead.isMeant(by: try Locator(parsing: "podman:\(container.name)")))
            }
        }

    }
}
