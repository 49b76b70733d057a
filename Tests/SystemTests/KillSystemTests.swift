import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    /// Who dies in a kill, and what is said of who does not.
    @Suite("kill", .kernel(.root, .cgroup2))
    struct KillSystemTests {
        /// How a session that somebody thawed for a moment makes another process. Each writes "late PID".
        enum Fork: String, CaseIterable {
            /// A child of a child: its parents are alive up to the leader.
            case chain = #"sh -c 'sh -c "echo late \$\$; sleep 100 & wait" & wait' &"#
            /// Its parent is gone, and it leads a setsid(2) session of its own.
            case orphan = #"(setsid sh -c 'echo late $$; sleep 100 & wait' &)"#
        }

        @Test("RT11 who was born inside after the freeze dies with the session", .sandbox, arguments: Fork.allCases)
        func bornLater(fork: Fork) throws {
            let quoted = fork.rawValue.replacing("'", by: #"'\''"#)
            let script = "trap '\(quoted)' USR1; echo ready; while :; do sleep 0.05; done"
            let scene = try Scene("enter", "--", "/bin/sh", "-c", script)
            let frozen = try scene.freeze()
            #expect(frozen.scansAgreed)
            scene.unified.setFrozen(false)
            scene.child.signal(SIGUSR1)
            let line = try scene.child.line { $0.hasPrefix("late") }
            let late = try #require(line.split(separator: " ").last.flatMap { Int32($0) })
            let scanner = ProcessScanner(scene.host)
            let isReady = eventually {
                guard let parent = scanner.stat(of: late)?.parent else { return false }
                return fork == .chain || !scene.unified.processes.contains(parent)
            }
            #expect(isReady)
            scene.unified.setFrozen(true)
            #expect(eventually { scene.unified.isFrozen })
            #expect(scene.unified.processes.contains(late))

            let policy = KillPolicy(watchMilliseconds: 0)
            let killed = try Killer(scene.host).kill(frozen, scene.subject, policy, apply: scene.record)
            #expect(killed.spared.isEmpty, "\(killed)")
            #expect(killed.isComplete, "\(killed)")
            #expect(scanner.stat(of: late).map(\.isZombie) ?? true)
        }

        @Test("RT11 who stood outside when the freeze was proven and was moved in later is spared", .sandbox)
        func movedInLater() throws {
            let scene = try Scene("sleepers", "1")
            let bystander = try scene.sandbox.start(Program(try Sandbox.testkitPath(), ["doublefork"]))
            let ready = try bystander.line { $0.hasPrefix("ready") }
            let orphan = try #require(ready.split(separator: " ").last.flatMap { Int32($0) })
            // Times of birth are counted in ticks: the proof has to be in a later one.
            let scanner = ProcessScanner(scene.host)
            let born = try #require(scanner.stat(of: orphan)?.startTicks)
            #expect(eventually { Ticks.now() > born })
            let frozen = try scene.freeze()
            #expect(frozen.scansAgreed)
            Files.write("\(orphan)", to: "\(scene.unified.path)/cgroup.procs", create: false)
            #expect(scene.unified.processes.contains(orphan))
            let policy = KillPolicy(watchMilliseconds: 0)
            let killed = try Killer(scene.host).kill(frozen, scene.subject, policy, apply: scene.record)
            #expect(killed.spared.map(\.process.pid) == [orphan])
            #expect(killed.isComplete, "\(killed)")
            #expect(scanner.stat(of: orphan).map(\.isZombie) == false)
        }

        @Test("v1-frozen processes that do not die at once are thawed until they do", .kernel(.v1freezer), .sandbox)
        func secondThaw() throws {
            let scene = try Scene("sleepers", "3", room: "session", alsoVersionOne: true)
            let outer = try #require(scene.sandbox.freezer)
            let own = try Cgroup(BytePath("/\(scene.sandbox.name)/session"), in: try #require(scene.host.freezer))
            let pin = SessionPin(bootID: scene.host.bootID, cgroups: [own.pin], leader: scene.leader)
            let subject = Subject(pin: pin)
            let frozen = try scene.freeze(subject)
            #expect(frozen.scansAgreed)
            // As long as the group above is frozen, thawing the session's own lets nobody die.
            outer.setFrozen(true)
            var onRecord: Set<ContainmentEffect> = []
            var thaws = 0
            let policy = KillPolicy(patienceMilliseconds: 5000, watchMilliseconds: 0)
            let killed = try Killer(scene.host).kill(frozen, subject, policy) { effects, act throws(Failure) in
                if effects.contains(.thaw(group: own.pin)) { thaws += 1 }
                if thaws == 2 { outer.setFrozen(false) }
                // What is on record is not done again, as the log of a step has it.
                if onRecord.isSuperset(of: effects) { return }
                try act()
                onRecord.formUnion(effects)
            }
            #expect(killed.remaining.isEmpty, "\(killed)")
            #expect(outer.processes.isEmpty)
        }

        @Test("a stray that the freeze could not hold and that lives on is named", .sandbox)
        func unheldStray() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("movecgroup", elsewhere.path, room: "session")
            let frozen = try Freezer(scene.host).freeze(scene.subject) { effects, act throws(Failure) in
                if case .makeGroup = effects.first {
                    throw Failure(errno: ENOSPC, "make a cgroup", on: BytePath("/"))
                }
                try act()
            }
            #expect(frozen.strays.map(\.isHeld) == [false])
            let policy = KillPolicy(watchMilliseconds: 0)
            let killed = try Killer(scene.host).kill(frozen, scene.subject, policy, apply: scene.record)
            #expect(elsewhere.processes == scene.ready)
            #expect(killed.strays.map(\.process.pid) == scene.ready, "\(killed)")
            #expect(!killed.isComplete)
        }

        @Test("a member that somebody moved out after the freeze is named", .sandbox)
        func movedOut() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("sleepers", "2", room: "session")
            let frozen = try scene.freeze()
            let victim = try #require(frozen.members.first { $0 != scene.leader })
            Files.write("\(victim.pid)", to: "\(elsewhere.path)/cgroup.procs", create: false)
            let policy = KillPolicy(watchMilliseconds: 0)
            let killed = try Killer(scene.host).kill(frozen, scene.subject, policy, apply: scene.record)
            #expect(elsewhere.processes == [victim.pid])
            #expect(killed.strays.map(\.process) == [victim], "\(killed)")
            #expect(!killed.isComplete)
        }
    }
}

/// Time as births of processes are counted in, proc_pid_stat(5).
enum Ticks {
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(time.tv_sec) * 100 + UInt64(time.tv_nsec) / 10_000_000
    }
}

extension String {
    fileprivate func replacing(_ sought: Character, by text: String) -> String {
        map { $0 == sought ? text : String($0) }.joined()
    }
}
