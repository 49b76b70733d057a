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
    /// Its groups, v2 first.
    let groups: [TestCgroup]
    /// A process of it that runs without end.
    let busy: Int32
    /// A process of it that can be moved elsewhere.
    let sleeper: Int32
}

/// The runtimes that the suite is run over.
enum TestedRuntime: String, CaseIterable, Sendable {
    case rawCgroups, podman

    fileprivate static let work = "(while :; do :; done) & sleep 1000 & wait"

    /// Starts a session, gives it to `body` and takes it away.
    fileprivate func with(_ body: (RuntimeScene) throws -> Void) throws {
        switch self {
        case .rawCgroups:
            let sandbox = try Sandbox.of()
            let rooms = [sandbox.unified, sandbox.freezer].compactMap { $0?.subgroup("session") }
            let enter = ["enter"] + rooms.map(\.path) + ["--", "/bin/sh", "-c", TestedRuntime.work]
            _ = try sandbox.start(Program(try Sandbox.testkitPath(), enter))
            try body(try TestedRuntime.scene("cgroup:/\(sandbox.name)/session", rooms))
        case .podman:
            try PodmanContainer.with(command: "sh", "-c", TestedRuntime.work) { container in
                try body(try TestedRuntime.scene("podman:\(container.name)", container.groups))
                #expect(try container.status().isEmpty == false, "podman still knows it")
            }
        }
    }

    private static func scene(_ locator: String, _ groups: [TestCgroup]) throws -> RuntimeScene {
        let host = try Host()
        var busy: Int32?
        var sleeper: Int32?
        let isReady = eventually(within: .seconds(10)) {
            let scanner = ProcessScanner(host)
            let all = (groups.first?.processes ?? []).compactMap { scanner.namedStat(of: $0) }
            // The first process may have used the CPU as the runtime that it was: the one that burns is its child.
            busy = all.first { one in one.name == BytePath("sh") && all.contains { $0.pid == one.numbers.parent } }?.pid
            sleeper = all.first { $0.name == BytePath("sleep") }?.pid
            return busy != nil && sleeper != nil && all.count == 3
        }
        try #require(isReady)
        return RuntimeScene(
            locator: locator,
            groups: groups,
            busy: try #require(busy),
            sleeper: try #require(sleeper)
        )
    }
}

extension SystemTests {
    /// What every runtime has to hold; a new one is a case of ``TestedRuntime``.
    @Suite("runtimes", .kernel(.root, .cgroup2, .podman))
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
                let session = try SessionResolver(host: host).resolve(try Locator(parsing: scene.locator))
                #expect(Set(session.pin.cgroups.map(\.hierarchy)) == ["v2", "v1:freezer"])
                #expect(session.members.count == 3, "\(session.members)")
                let subject = Subject(session)
                Files.write("\(scene.sleeper)", to: "\(elsewhere.path)/cgroup.procs", create: false)

                let frozen = try Freezer(host).freeze(subject, apply: apply)
                defer { takeAway(frozen, host) }
                #expect(frozen.word == .confirmed, "\(frozen)")
                #expect(frozen.processes == 3)
                #expect(frozen.strays.map(\.process.pid) == [scene.sleeper])
                #expect(frozen.strays.allSatisfy(\.isHeld) && elsewhere.processes.isEmpty)
                #expect(frozen.coveredGroups.map(\.hierarchy) == ["v1:freezer"])
                #expect(!runs(scene.busy, host, within: .milliseconds(200)))
                let cut = try #require(frozen.cut)
                #expect(cut.drops.count == 2 && cut.failures.isEmpty, "\(cut)")
                #expect(try Cut.stands(cut, on: host))
                #expect(try FreezeCheck(of: frozen, on: host).stands)

                let thawed = try Thaw.thaw(
                    frozen.effects,
                    members: frozen.members,
                    release: true,
                    on: host,
                    apply: apply
                )
                #expect(thawed.isComplete, "\(thawed)")
                #expect(runs(scene.busy, host, within: .seconds(5)))
                #expect(elsewhere.processes == [scene.sleeper])
                #expect(try !Cut.stands(cut, on: host))

                let again = try Freezer(host).freeze(subject, apply: apply)
                defer { takeAway(again, host) }
                #expect(again.word == .confirmed, "\(again)")
                let killed = try Killer(host).kill(again, subject, KillPolicy(watchMilliseconds: 500), apply: apply)
                #expect(killed.isComplete, "\(killed)")
                #expect(killed.processes == 3 && killed.emptied.count == again.groups.count)
                #expect(scene.groups.allSatisfy { $0.processes.isEmpty } && elsewhere.processes.isEmpty)
            }
        }

        @Test(
            "RT8 what froze it before in v1 is said, and v2 holds it when that one thaws",
            .sandbox,
            arguments: TestedRuntime.allCases
        )
        func frozenBefore(runtime: TestedRuntime) throws {
            try runtime.with { scene in
                let host = try Host()
                let freezer = try #require(scene.groups.first { $0.hierarchy == .freezer })
                #expect(freezer.setFrozen(true) == 0)
                #expect(eventually { freezer.isFrozen })
                let session = try SessionResolver(host: host).resolve(try Locator(parsing: scene.locator))
                let frozen = try Freezer(host).freeze(Subject(session), apply: apply)
                defer { takeAway(frozen, host) }
                #expect(frozen.word == .confirmed, "\(frozen)")
                #expect(frozen.notes.contains { $0.contains("a v1 freezer held it before") }, "\(frozen.notes)")
                #expect(freezer.setFrozen(false) == 0)
                #expect(!runs(scene.busy, host, within: .milliseconds(200)))
                #expect(eventually { (try? FreezeCheck(of: frozen, on: host).thawed.isEmpty) ?? false })
                let thawed = try Thaw.thaw(
                    frozen.effects,
                    members: frozen.members,
                    release: true,
                    on: host,
                    apply: apply
                )
                #expect(thawed.isComplete, "\(thawed)")
                #expect(runs(scene.busy, host, within: .seconds(5)))
            }
        }

        @Test("any process of a container leads to the same groups", .sandbox)
        func anyProcess() throws {
            try TestedRuntime.podman.with { scene in
                let resolver = SessionResolver(host: try Host())
                let named = try resolver.resolve(try Locator(parsing: scene.locator))
                #expect(named.runtime == .podman)
                for locator in ["pid:\(scene.busy)", "pid:\(scene.sleeper)", String(scene.locator.dropFirst(7))] {
                    let found = try resolver.resolve(try Locator(parsing: locator))
                    #expect(Set(found.pin.cgroups) == Set(named.pin.cgroups), "\(locator)")
                    #expect(found.leader?.pin == named.leader?.pin)
                }
            }
        }

        @Test("a container that has exited is no session, and that is said", .sandbox)
        func exited() throws {
            try PodmanContainer.with(command: "true") { container in
                let isOver = try eventually(within: .seconds(10)) { try container.status().hasPrefix("Exited") }
                #expect(isOver)
                let failure = #expect(throws: Failure.self) {
                    try SessionResolver(host: try Host()).resolve(try Locator(parsing: "podman:\(container.name)"))
                }
                #expect(failure?.code == .notFound)
                // The runtime's state goes a moment after podman says so.
                #expect(failure?.reason.hasSuffix(": nothing of it runs, only its files are left") == true)
            }
        }

        private func apply(_ effects: [ContainmentEffect], _ act: () throws(Failure) -> Void) throws(Failure) {
            try act()
        }

        /// Whether a process uses the CPU.
        private func runs(_ pid: Int32, _ host: Host, within limit: Duration) -> Bool {
            let scanner = ProcessScanner(host)
            func ticks() -> UInt64? { scanner.stat(of: pid).map { $0.userTicks + $0.systemTicks } }
            guard let before = ticks() else { return false }
            return eventually(within: limit) { ticks().map { $0 > before } ?? false }
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
