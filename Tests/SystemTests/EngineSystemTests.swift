import Base
import Containment
import Glibc
import Kernel
import Programs
import Sessions
import Testing

extension SystemTests {
    /// What engines and users do beside what every runtime has to hold.
    @Suite("engines", .kernel(.root, .cgroup2, .docker, .podman, .program("runsc"), .program("setpriv")))
    struct EngineSystemTests {
        @Test("an exited container of docker is a dead session: when, how, and where its files are", .sandbox)
        func dockerExited() throws {
            let before = Instant.now()
            try DockerEngine.with(command: "sh", "-c", "echo said >/written; exit 3") { container in
                #expect(eventually(within: .seconds(20)) { container.state == "false 3" })
                let root = BytePath(try Sandbox.of().folder)
                let failure = #expect(throws: Failure.self) {
                    try SessionResolver(host: try Host(), root: root).resolve(try Locator(parsing: container.locator))
                }
                #expect(failure?.code == .notFound && failure?.reason.hasPrefix("it has exited") == true)
                #expect(failure?.hint == "quell sessions show docker:\(container.id)")
                let list = try SessionList.look(at: Host(), root: root, by: Deadline(after: .seconds(10)))
                let dead = try #require(list.dead.first { $0.runtime == .docker })
                #expect(dead.names == [BytePath(container.name)] && dead.exitStatus == 3)
                let ended = try #require(dead.ended)
                #expect(before < ended && ended < Instant.now())
                let files = try #require(dead.files)
                #expect(Files.text("\(files)/written") == "said\n")
            }
        }

        @Test(
            "RT4 docker's restart policy is found, and its shim is held so that nothing starts the container again",
            .sandbox
        )
        func dockerRestart() throws {
            try DockerEngine.with("--restart=always", command: "sh", "-c", Conformance.work) { container in
                let host = try Host()
                let root = BytePath(try Sandbox.of().folder)
                let session = try SessionResolver(host: host, root: root).resolve(Locator(parsing: container.locator))
                let subject = Subject(session)
                let frozen = try Freezer(host).freeze(subject, FreezePolicy(root: root), apply: Conformance.apply)
                defer { Conformance.takeAway(frozen, host) }
                #expect(frozen.supervisors.map(\.kind) == [.dockerPolicy], "\(frozen.supervisors)")
                #expect(frozen.supervisors.allSatisfy(\.isHeld) && frozen.word == .confirmed, "\(frozen)")
                let policy = KillPolicy(watchMilliseconds: 1500)
                let killed = try Killer(host).kill(frozen, subject, policy, apply: Conformance.apply)
                #expect(killed.isComplete, "\(killed)")
                #expect(container.groups.allSatisfy { $0.processes.isEmpty })
            }
        }

        @Test(
            "podman with gVisor as its runtime is a gVisor sandbox by podman's name, and its sentry is asked",
            .sandbox
        )
        func podmanGVisor() throws {
            try PodmanContainer.withGVisor(command: "sh", "-c", Conformance.work) { container in
                let host = try Host()
                let resolver = SessionResolver(host: host)
                // The sentry stands in its group a moment after podman calls the container running.
                let isPlaced = try eventually {
                    try !resolver.resolve(Locator(parsing: "podman:\(container.name)")).pin.cgroups.isEmpty
                }
                #expect(isPlaced)
                let session = try resolver.resolve(Locator(parsing: "podman:\(container.name)"))
                #expect(session.runtime == .gvisor && session.sandbox?.containers == [container.id])
                #expect(session.leader?.pin == session.sandbox?.sentry && session.members.count > 2)
                let same = try resolver.resolve(Locator(parsing: "runsc:\(container.id)"))
                #expect(same.pin == session.pin)

                let list = try SessionList.look(at: host, by: Deadline(after: .seconds(10)))
                let listed = try #require(list.sessions.first { $0.runtime.name == BytePath(container.id) })
                #expect(listed.runtime.kind == .gvisor && listed.runtime.label == BytePath(container.name))
                #expect(!list.dead.contains { $0.id == BytePath(container.id) })

                let frozen = try Freezer(host).freeze(Subject(session), apply: Conformance.apply)
                defer { Conformance.takeAway(frozen, host) }
                #expect(frozen.word == .confirmed && frozen.inside != nil, "\(frozen)")
            }
        }

        @Test(
            "a user's container of runc without a cgroup is found, listed, frozen whole and killed, and only that",
            .sandbox
        )
        func rootless() throws {
            try RootlessContainer.with(command: Conformance.work) { container in
                let host = try Host()
                let sandbox = try Sandbox.of()
                let setpriv = ["--reuid", "\(RootlessContainer.uid)", "--clear-groups", "/bin/sleep", "1000"]
                let bystander = try sandbox.start(Program("/usr/bin/setpriv", setpriv))
                let resolver = SessionResolver(host: host, root: container.root)
                var session = try resolver.resolve(try Locator(parsing: container.locator))
                let isWhole = try eventually(within: .seconds(10)) {
                    session = try resolver.resolve(try Locator(parsing: container.locator))
                    return session.members.count == 3
                }
                #expect(isWhole && session.runtime == .runc && session.leader?.pin.pid == container.first)

                let list = try SessionList.look(at: host, root: container.root, by: Deadline(after: .seconds(10)))
                let listed = try #require(list.sessions.first { $0.leader.pid == container.first })
                #expect(listed.runtime.kind == .runc && listed.runtime.name == BytePath(container.id))
                #expect(listed.processes == 3 && listed.uid == RootlessContainer.uid)
                #expect(!list.dead.contains { $0.id == BytePath(container.id) })

                let subject = Subject(session)
                let frozen = try Freezer(host).freeze(subject, apply: Conformance.apply)
                defer { Conformance.takeAway(frozen, host) }
                #expect(frozen.word == .confirmed && frozen.processes == 3, "\(frozen)")
                #expect(!frozen.members.contains { $0.pid == bystander.id })
                let policy = KillPolicy(watchMilliseconds: 300)
                let killed = try Killer(host).kill(frozen, subject, policy, apply: Conformance.apply)
                #expect(killed.isComplete && !bystander.hasEnded, "\(killed)")

                let after = try SessionList.look(at: host, root: container.root, by: Deadline(after: .seconds(10)))
                #expect(after.dead.map { "\($0.locator)" } == [container.locator])
            }
        }

        @Test("a user's podman: one that runs without a cgroup is found whole, one that ended is dead", .sandbox)
        func rootlessPodman() throws {
            try RootlessPodman.with { podman in
                let host = try Host()
                let resolver = SessionResolver(host: host, root: podman.root)
                let session = try resolver.resolve(Locator(parsing: "podman:\(RootlessContainer.user)/running"))
                #expect(session.runtime == .podman && session.members.count == 1, "\(session.members)")
                #expect(session.leader?.name == BytePath("sleep") && session.owner == RootlessContainer.uid)
                let failure = #expect(throws: Failure.self) {
                    try resolver.resolve(Locator(parsing: "podman:\(RootlessContainer.user)/ended"))
                }
                #expect(failure?.code == .notFound && failure?.reason.hasSuffix("only its files are left") == true)

                let list = try SessionList.look(at: host, root: podman.root, by: Deadline(after: .seconds(10)))
                let listed = try #require(list.sessions.first { $0.leader == session.leader?.pin })
                #expect(listed.runtime.kind == .podman && listed.runtime.label == BytePath("running"))
                let dead = try #require(list.dead.first { $0.id == BytePath(podman.dead) })
                #expect("\(dead.locator)" == "podman:\(RootlessContainer.user)/\(podman.dead)")
                #expect(dead.exitStatus == 4 && dead.ended != nil && dead.files != nil)
                #expect(!list.dead.contains { $0.id == BytePath(podman.living) })

                let frozen = try Freezer(host).freeze(Subject(session), apply: Conformance.apply)
                defer { Conformance.takeAway(frozen, host) }
                #expect(frozen.members.map(\.pid) == [try #require(session.leader).pin.pid], "\(frozen)")
            }
        }

        @Test("RT8 a user's state that names another process of the same user is refused", .sandbox)
        func rootlessPlanted() throws {
            try RootlessContainer.with(command: Conformance.work) { container in
                let host = try Host()
                let setpriv = ["--reuid", "\(RootlessContainer.uid)", "--clear-groups", "/bin/sleep", "1000"]
                let bystander = try Sandbox.of().start(Program("/usr/bin/setpriv", setpriv))
                let isReady = eventually {
                    ProcessScanner(host).namedStat(of: bystander.id)?.name == BytePath("sleep")
                }
                try #require(isReady)
                let start = try #require(ProcessScanner(host).stat(of: bystander.id)?.startTicks)
                let planted = """
                    {"id":"planted","init_process_pid":\(bystander.id),"init_process_start":\(start),
                    "cgroup_paths":{"":"/sys/fs/cgroup/unified/planted"}}
                    """
                let script = """
                    mkdir "$0/planted" && mv "$1" "$0/planted/state.json" &&
                    chown -R \(RootlessContainer.uid) "$0/planted" && chmod 600 "$0/planted/state.json"
                    """
                Files.write(planted, to: "\(container.root)/plan")
                let made = try Program("/bin/sh", ["-c", script, container.states, "\(container.root)/plan"]).run()
                #expect(made.status == 0, "\(made.errorText)")
                let failure = #expect(throws: Failure.self) {
                    try SessionResolver(host: host, root: container.root).resolve(
                        try Locator(parsing: "runc:\(RootlessContainer.user)/planted")
                    )
                }
                #expect(failure?.code == .refused)
                #expect(failure?.reason.contains("in no cgroup of that container") == true)
            }
        }
    }
}
