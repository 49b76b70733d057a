import Base
import Containment
import Glibc
import Kernel
import Programs
import Sessions
import Testing

extension SystemTests {
    @Suite("supervisors", .kernel(.root, .cgroup2))
    struct SupervisorSystemTests {
        @Test(
            "RT4 a shell loop is held with the freeze, brings nothing back after the kill, and does when let go",
            .sandbox
        )
        func loopHeld() throws {
            let loop = try LoopScene()
            let result = try loop.freeze()
            defer { Holds.remove(result.effects, on: loop.host) }
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.supervisors.map(\.kind) == [.parentLoop] && result.supervisors[0].isHeld)
            #expect(result.supervisors[0].process?.pid == loop.shell.id)
            for case .hold(let process, _, let group) in result.effects {
                #expect(process.pid == loop.shell.id)
                #expect(try Cgroup(group, on: loop.host).owner() == 0 && Cgroup(group, on: loop.host).isFrozenNow())
                #expect(!group.path.isAtOrBelow(loop.group.path))
            }
            let killed = try loop.kill(result)
            #expect(killed.isComplete, "\(killed)")
            #expect(loop.processes.isEmpty)

            let released = try SupervisorHold.letGo(result.effects, on: loop.host, apply: loop.apply)
            #expect(released.isComplete && released.letGo.map(\.pid) == [loop.shell.id], "\(released)")
            #expect(released.removed.count == 1)
            #expect(eventually(within: .seconds(10)) { !loop.processes.isEmpty })
        }

        @Test("RT4 a loop that is a script has the script's name, and is held all the same", .sandbox)
        func scriptHeld() throws {
            let loop = try LoopScene(as: .script("keep-agent.sh"))
            let result = try loop.freeze()
            defer { Holds.remove(result.effects, on: loop.host) }
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.supervisors.map(\.process?.pid) == [loop.shell.id] && result.supervisors[0].isHeld)
        }

        @Test(
            "RT4 a loop under the name of what the machine needs, or of a daemon, is held: the kernel knows what it runs",
            .sandbox,
            arguments: ["sshd", "cron"]
        )
        func scriptWithBorrowedName(name: String) throws {
            let loop = try LoopScene(as: .script(name))
            let result = try loop.freeze()
            defer { Holds.remove(result.effects, on: loop.host) }
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.supervisors.map(\.process?.pid) == [loop.shell.id] && result.supervisors[0].isHeld)
        }

        @Test("RT4 a parent of which nothing is known is named, and keeps the freeze from being confirmed", .sandbox)
        func unknownParent() throws {
            let loop = try LoopScene(as: .unknownProgram)
            let result = try loop.freeze()
            #expect(result.word == .partial, "\(result)")
            let parent = try #require(result.supervisors.first)
            #expect(result.supervisors.count == 1 && parent.process?.pid == loop.shell.id && !parent.isHeld)
            #expect(parent.reason?.contains("--include \(loop.shell.id)") == true)
            let subject = Subject(pin: loop.subject.pin, included: [try #require(parent.process)])
            let taken = try Freezer(loop.host).freeze(subject, apply: loop.apply)
            defer { Holds.remove(taken.effects, on: loop.host) }
            #expect(taken.word == .confirmed, "\(taken)")
            _ = try Thaw.thaw(
                taken.effects,
                members: taken.members,
                release: true,
                on: loop.host,
                apply: loop.apply
            )
        }

        @Test("RT4 a loop that somebody else froze is taken into Quell's own group", .sandbox)
        func frozenByOthers() throws {
            let loop = try LoopScene()
            let theirs = try #require(try Sandbox.of().unified).subgroup("theirs")
            #expect(Files.write("\(loop.shell.id)", to: "\(theirs.path)/cgroup.procs", create: false) == 0)
            #expect(Files.write("1", to: "\(theirs.path)/cgroup.freeze", create: false) == 0)
            defer { Files.write("0", to: "\(theirs.path)/cgroup.freeze", create: false) }
            let result = try loop.freeze()
            defer { Holds.remove(result.effects, on: loop.host) }
            #expect(result.word == .confirmed, "\(result)")
            #expect(
                result.effects.contains {
                    if case .hold(let process, _, _) = $0 { process.pid == loop.shell.id } else { false }
                }
            )
        }

        @Test("RT4 a loop that is left alone is named, makes the result partial, and its successor is seen", .sandbox)
        func loopLeft() throws {
            let loop = try LoopScene()
            let result = try loop.freeze(FreezePolicy(holdRestart: false))
            #expect(result.word == .partial)
            #expect(result.supervisors.map(\.kind) == [.parentLoop] && !result.supervisors[0].isHeld)
            let killed = try loop.kill(result)
            #expect(!killed.successors.isEmpty, "\(killed)")
            #expect(!killed.isComplete)
        }

        @Test(
            "RT4 a successor that an unrelated watcher starts elsewhere is found, frozen with its watcher, and killed again",
            .sandbox
        )
        func watcher() throws {
            let sandbox = try Sandbox.of()
            let rooms = try ["session", "elsewhere"].map { try #require(sandbox.unified).subgroup($0) }
            let testkit = try Sandbox.testkitPath()
            func start(in room: TestCgroup) -> [String] { ["enter", room.path, "--", testkit, "sleepers", "1"] }
            let session = try sandbox.start(Program(testkit, start(in: rooms[0])))
            let line = try session.line { $0.hasPrefix("ready") }
            let pid = try #require(line.split(separator: " ").last.flatMap { Int32($0) })
            // It polls for the session and knows nothing else of it; a zombie has no arguments.
            let poll = "while grep -q . /proc/$0/cmdline 2>/dev/null; do sleep 0.05; done; \"$@\"; true"
            let watcher = try sandbox.start(
                Program("/bin/sh", ["-c", poll, "\(pid)", testkit] + start(in: rooms[1]))
            )
            // The same program with other arguments is nobody's successor.
            let bystander = try sandbox.start(
                Program("/bin/sh", ["-c", poll, "\(pid)", testkit, "sleepers", "2"])
            )
            let host = try Host()
            let first = try SessionResolver(host: host).resolve(try Locator(parsing: "cgroup:/\(sandbox.name)/session"))
            let frozen = try Freezer(host).freeze(Subject(first)) { _, act throws(Failure) in try act() }
            defer { Holds.remove(frozen.effects, on: host) }
            #expect(frozen.supervisors.isEmpty && frozen.word == .confirmed, "nothing tells who watches: \(frozen)")
            let killed = try Killer(host).kill(frozen, Subject(first)) { _, act throws(Failure) in try act() }
            #expect(!killed.isComplete && killed.remaining.isEmpty)
            let successor = try #require(killed.successors.first, "\(killed)")
            #expect(killed.successors.count == 1 && successor.reason.contains("with the same arguments"))
            #expect(rooms[1].processes.contains(successor.process.pid))

            let second = try SessionResolver(host: host).resolve(.pid(successor.process.pid))
            let again = try Freezer(host).freeze(Subject(second)) { _, act throws(Failure) in try act() }
            defer { Holds.remove(again.effects, on: host) }
            #expect(again.word == .confirmed, "\(again)")
            #expect(again.supervisors.map(\.process?.pid) == [watcher.id] && again.supervisors[0].isHeld)
            let gone = try Killer(host).kill(again, Subject(second)) { _, act throws(Failure) in try act() }
            #expect(gone.isComplete, "\(gone)")
            #expect(rooms.allSatisfy { $0.processes.isEmpty } && !bystander.hasEnded)
        }

        @Test("thaw lets the supervisors go, and a second freeze finds them held and takes no second group", .sandbox)
        func thawLetsGo() throws {
            let loop = try LoopScene()
            let result = try loop.freeze()
            defer { Holds.remove(result.effects, on: loop.host) }
            let again = try loop.freeze()
            #expect(again.word == .confirmed)
            #expect(!again.effects.contains { if case .makeHold = $0 { true } else { false } })
            for effect in result.effects {
                #expect(try effect.probe(on: loop.host) == .done, "\(effect.summary)")
            }
            let thawed = try Thaw.thaw(
                result.effects,
                members: result.members,
                release: true,
                on: loop.host,
                apply: loop.apply
            )
            #expect(thawed.isComplete, "\(thawed)")
            #expect(thawed.supervisors.letGo.map(\.pid) == [loop.shell.id])
            for effect in result.effects {
                guard case .hold = effect else { continue }
                #expect(try effect.probe(on: loop.host) == .notDone)
            }
        }

        @Test("RT4 the loop is found and held without a freeze, too, and each effect has its inverse", .sandbox)
        func holdAlone() throws {
            let loop = try LoopScene()
            var effects: [ContainmentEffect] = []
            let held = try SupervisorHold(loop.host).hold(supervisorsOf: loop.subject.pin) {
                batch,
                act throws(Failure) in
                try act()
                effects += batch
            }
            defer { Holds.remove(effects, on: loop.host) }
            #expect(held.isComplete && held.supervisors.count == 1 && held.effects == effects, "\(held)")
            let hold = try #require(effects.last)
            let inverse = try #require(hold.inverse)
            try inverse.perform(on: loop.host)
            #expect(try hold.probe(on: loop.host) == .notDone && inverse.probe(on: loop.host) == .done)
            #expect(inverse.inverse == hold)
        }

        @Test("RT11 the living parent of a guest is not held when holding is asked for alone", .sandbox)
        func guestsParent() throws {
            let loop = try LoopScene()
            let bystander = try Sandbox.of().start(Program("/bin/sh", ["-c", "sleep 1000 & echo ready $!; wait; :"]))
            let line = try bystander.line { $0.hasPrefix("ready") }
            loop.takeIn(try #require(line.split(separator: " ").last.flatMap { Int32($0) }))
            let held = try SupervisorHold(loop.host).hold(supervisorsOf: loop.subject.pin, apply: loop.apply)
            defer { Holds.remove(held.effects, on: loop.host) }
            #expect(held.isComplete && held.supervisors.map(\.process?.pid) == [loop.shell.id], "\(held)")
        }

        @Test("RT11 what a freeze refuses, holding alone refuses too, unless Quell has frozen it", .sandbox)
        func holdRefused() throws {
            let sandbox = try Sandbox.of()
            let slice = try #require(sandbox.unified).subgroup("agents.slice")
            let testkit = try Sandbox.testkitPath()
            let child = try sandbox.start(Program(testkit, ["enter", slice.path, "--", testkit, "sleepers", "0"]))
            _ = try child.line { $0.hasPrefix("ready") }
            let host = try Host()
            let group = try Cgroup(BytePath("/\(sandbox.name)/agents.slice"), in: try #require(host.unified))
            let pin = SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: nil)
            let failure = #expect(throws: Failure.self) {
                try SupervisorHold(host).hold(supervisorsOf: pin) { _, _ in Issue.record("nothing may be done") }
            }
            #expect(failure?.code == .refused)
        }

        @Test(
            "RT4 a successor is named although the first one had written over its arguments, and a kill is not whole",
            .sandbox
        )
        func retitled() throws {
            let sandbox = try Sandbox.of()
            let room = try #require(sandbox.unified).subgroup("session")
            let testkit = try Sandbox.testkitPath()
            let mark = "\(sandbox.folder)/mark"
            let session = try sandbox.start(Program(testkit, ["enter", room.path, "--", testkit, "retitle", mark]))
            _ = try session.line { $0.hasPrefix("ready") }
            let poll = "while [ -e /proc/$0/exe ]; do sleep 0.05; done; \"$@\"; true"
            let watcher = try sandbox.start(
                Program("/bin/sh", ["-c", poll, "\(session.id)", testkit, "retitle", mark])
            )
            let host = try Host()
            let pinned = try SessionResolver(host: host).resolve(.pid(session.id))
            let frozen = try Freezer(host).freeze(Subject(pinned)) { _, act throws(Failure) in try act() }
            #expect(frozen.word == .confirmed, "\(frozen)")
            let policy = KillPolicy(watchMilliseconds: 1000)
            let killed = try Killer(host).kill(frozen, Subject(pinned), policy) { _, act throws(Failure) in try act() }
            _ = try watcher.line { $0.hasPrefix("ready") }
            #expect(!killed.isComplete && killed.successors.isEmpty && killed.remaining.isEmpty, "\(killed)")
            #expect(killed.resembling.count == 1, "\(killed)")
            #expect(killed.resembling.first?.reason.contains("process \(watcher.id) started it") == true)
        }

        @Test(
            "RT4 a podman container that always restarts stays down while held, and comes back when let go",
            .kernel(.podman),
            .sandbox
        )
        func restartPolicy() throws {
            try PodmanContainer.with("--restart=always", command: "sleep", "1000") { container in
                let host = try Host()
                let session = try SessionResolver(host: host).resolve(try Locator(parsing: "podman:\(container.name)"))
                let result = try Freezer(host).freeze(Subject(session)) { _, act throws(Failure) in try act() }
                defer { Holds.remove(result.effects, on: host) }
                #expect(result.word == .confirmed, "\(result)")
                #expect(result.supervisors.map(\.kind) == [.podmanPolicy], "\(result.supervisors)")
                #expect(result.supervisors.first?.process?.pid == container.conmon)
                #expect(result.supervisors.first?.detail.contains("restart policy always") == true)

                // From outside, past Quell: the container's first process dies, and nothing takes its place.
                let first = try #require(container.first)
                #expect(Glibc.kill(first, SIGKILL) == 0)
                func lives() -> Bool {
                    container.groups.flatMap(\.processes).contains {
                        ProcessScanner(host).stat(of: $0)?.isZombie == false
                    }
                }
                #expect(eventually { !lives() })
                #expect(!eventually(within: .seconds(5), lives))
                #expect(container.first == first)
                #expect(try container.status().hasPrefix("Up"), "podman has not been told")

                let released = try SupervisorHold.letGo(result.effects, on: host) { _, act throws(Failure) in try act()
                }
                #expect(released.isComplete, "\(released)")
                #expect(eventually(within: .seconds(10)) { container.first.map { $0 != first } ?? false })
                #expect(try container.status().hasPrefix("Up"))
            }
        }

        @Test(
            "RT4 what a health check plants in a frozen container is listed before it is thawed",
            .kernel(.podman),
            .sandbox
        )
        func healthCheck() throws {
            try PodmanContainer.with(
                "--health-cmd",
                "true",
                "--health-interval=disable",
                "--health-retries=1",
                "--health-on-failure=restart",
                command: "sleep",
                "1000"
            ) { container in
                let host = try Host()
                let session = try SessionResolver(host: host).resolve(try Locator(parsing: "podman:\(container.name)"))
                let result = try Freezer(host).freeze(Subject(session)) { _, act throws(Failure) in try act() }
                #expect(result.notes.contains { $0.contains("a health check that acts on failure") }, "\(result.notes)")
                let check = try Program(
                    PodmanContainer.program(),
                    ["--runtime", "runc", "healthcheck", "run", container.name]
                ).start()
                var planted: [ProcessPin] = []
                let isPlanted = eventually(within: .seconds(10)) {
                    planted = (try? FreezeCheck(of: result, on: host).joined) ?? []
                    return !planted.isEmpty
                }
                #expect(isPlanted)
                let standing = try FreezeCheck(of: result, on: host)
                #expect(standing.thawed.isEmpty && standing.movedOut.isEmpty, "what joined is frozen on arrival")
                let thawed = try Thaw.thaw(result.effects, members: result.members, release: true, on: host) {
                    _,
                    act throws(Failure) in try act()
                }
                #expect(thawed.joined == planted)
                check.signal(SIGKILL)
            }
        }
    }
}

/// A shell loop outside of the session's group that starts its leader again and again.
private struct LoopScene {
    let host: Host
    let shell: Child
    let group: Cgroup
    let leader: ProcessPin
    private let room: TestCgroup

    enum Kind {
        case shell
        /// A script with `#!`, whose name is the file's.
        case script(String)
        /// A program with a name that nobody knows.
        case unknownProgram
    }

    init(as kind: Kind = .shell) throws {
        let sandbox = try Sandbox.of()
        room = try #require(sandbox.unified).subgroup("session")
        let testkit = try Sandbox.testkitPath()
        let start = "\(testkit) enter \(room.path) -- \(testkit) sleepers 1"
        let text = "while :; do \(start); done"
        switch kind {
        case .shell: shell = try sandbox.start(Program("/bin/sh", ["-c", text]))
        case .script(let name):
            let path = "\(sandbox.folder)/\(name)"
            #expect(Files.write("#!/bin/sh\n\(text)\n", to: path) == 0 && chmod(path, 0o755) == 0)
            shell = try sandbox.start(Program(path, []))
        case .unknownProgram:
            let path = "\(sandbox.folder)/agentd"
            _ = try Program("/bin/cp", ["/bin/sh", path]).run()
            shell = try sandbox.start(Program(path, ["-c", text]))
        }
        let line = try shell.line { $0.hasPrefix("ready") }
        host = try Host()
        let pid = try #require(line.split(separator: " ").last.flatMap { Int32($0) })
        group = try Cgroup(BytePath("/\(sandbox.name)/session"), in: try #require(host.unified))
        leader = try ProcessDirectory(pid, on: host).stat().pin
    }

    var subject: Subject { Subject(pin: SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: leader)) }
    var processes: [Int32] { room.processes }

    /// Moves a process into the session's group, as whoever may write it can.
    func takeIn(_ pid: Int32) { #expect(Files.write("\(pid)", to: "\(room.path)/cgroup.procs", create: false) == 0) }

    func apply(_ effects: [ContainmentEffect], _ act: () throws(Failure) -> Void) throws(Failure) { try act() }

    func freeze(_ policy: FreezePolicy = FreezePolicy()) throws -> FreezeResult {
        try Freezer(host).freeze(subject, policy, apply: apply)
    }

    func kill(_ result: FreezeResult) throws -> KillResult { try Killer(host).kill(result, subject, apply: apply) }
}
