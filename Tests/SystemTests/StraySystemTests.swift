import Base
import Containment
import Glibc
import Kernel
import Programs
import Response
import Sessions
import Testing

extension SystemTests {
    @Suite("strays and guests", .kernel(.root, .cgroup2))
    struct StraySystemTests {
        @Test("a child that moved itself away is caught by its lineage, and put back by thaw", .sandbox)
        func movedItself() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("movecgroup", elsewhere.path, room: "session")
            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.strays.map(\.process.pid) == scene.ready)
            #expect(result.strays.allSatisfy { $0.isHeld && $0.marks.contains(.lineage) })
            #expect(elsewhere.processes.isEmpty)
            #expect(result.processes == 2)
            for effect in result.effects {
                #expect(try effect.probe(on: scene.host) == .done, "\(effect.summary)")
            }
            let thawed = try scene.thaw(result)
            #expect(thawed.isComplete, "\(thawed)")
            #expect(elsewhere.processes == scene.ready)
            #expect(thawed.removed == [try #require(result.quarantine)])
        }

        @Test("an orphan adopted by the session's subreaper is caught outside", .sandbox)
        func subreaper() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("subreaper", room: "session")
            let orphan = try #require(scene.ready.last)
            Files.write("\(orphan)", to: "\(elsewhere.path)/cgroup.procs", create: false)
            let result = try scene.freeze()
            #expect(result.word == .confirmed)
            #expect(result.strays.map(\.process.pid) == [orphan])
            #expect(try scene.thaw(result).isComplete)
        }

        @Test("who was spared at first and proves to belong to the session is held, and no guest in doubt", .sandbox)
        func sparedThenHeld() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("subreaper", room: "session")
            let orphan = try #require(scene.ready.last)
            let pin = try ProcessDirectory(orphan, on: scene.host).stat().pin
            Files.write("\(orphan)", to: "\(elsewhere.path)/cgroup.procs", create: false)
            let result = try Freezer(scene.host).freeze(
                scene.subject,
                after: EarlierFreeze(spared: [pin]),
                apply: scene.record
            )
            #expect(result.strays.map(\.process) == [pin] && result.strays.allSatisfy(\.isHeld), "\(result.strays)")
            #expect(result.guests.isEmpty)
            #expect(result.word == .confirmed, "\(result)")
            #expect(try scene.thaw(result).isComplete)
            // The same for one that came back into the session by itself.
            #expect(Files.write("\(orphan)", to: "\(scene.unified.path)/cgroup.procs", create: false) == 0)
            let again = try Freezer(scene.host).freeze(
                scene.subject,
                after: EarlierFreeze(spared: [pin]),
                apply: scene.record
            )
            #expect(again.members.contains(pin) && again.strays.isEmpty && again.guests.isEmpty, "\(again)")
            #expect(again.word == .confirmed)
            #expect(try scene.thaw(again).isComplete)
        }

        @Test("a double-forked child that moved itself away is caught by its v1 line", .kernel(.v1freezer), .sandbox)
        func otherHierarchy() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("doublefork", room: "session", alsoVersionOne: true)
            let orphan = try #require(scene.ready.first)
            Files.write("\(orphan)", to: "\(elsewhere.path)/cgroup.procs", create: false)
            let freezer = try Cgroup(BytePath("/\(scene.sandbox.name)/session"), in: try #require(scene.host.freezer))
            let pin = SessionPin(
                bootID: scene.host.bootID,
                cgroups: [scene.group.pin, freezer.pin],
                leader: scene.leader
            )
            let result = try scene.freeze(Subject(pin: pin))
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.strays.map(\.process.pid) == [orphan])
            #expect(result.coveredGroups == [freezer.pin])
            #expect(try scene.thaw(result).isComplete)
            #expect(elsewhere.processes == [orphan])
        }

        @Test(
            "many strays at once are stopped before they are moved, continued in the frozen group, and run when thawed",
            .sandbox
        )
        func storm() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("sleepers", "20", room: "session")
            let strays = try scene.group.processes().filter { $0 != scene.leader.pid }.sorted()
            for pid in strays { Files.write("\(pid)", to: "\(elsewhere.path)/cgroup.procs", create: false) }
            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.strays.filter(\.isHeld).map(\.process.pid) == strays)
            func place(_ isWanted: (ContainmentEffect) -> Bool) -> [Int] {
                result.effects.indices.filter { isWanted(result.effects[$0]) }
            }
            let stops = place { if case .signal(_, SIGSTOP) = $0 { true } else { false } }
            let moves = place { if case .move = $0 { true } else { false } }
            let goesOn = place { if case .signal(_, SIGCONT) = $0 { true } else { false } }
            #expect(stops.count == 20 && moves.count == 20 && goesOn.count == 20)
            #expect(try #require(stops.max()) < #require(moves.min()))
            #expect(try #require(moves.max()) < #require(goesOn.min()))
            #expect(try FreezeCheck(of: result, on: scene.host).stands)

            #expect(try scene.thaw(result).isComplete)
            #expect(elsewhere.processes.sorted() == strays)
            let scanner = ProcessScanner(scene.host)
            let states = strays.map { scanner.namedStat(of: $0)?.numbers.state }
            #expect(states.allSatisfy { $0 == UInt8(ascii: "S") || $0 == UInt8(ascii: "R") }, "\(states)")
        }

        @Test(
            "strays whose group does not freeze stay stopped, and are told",
            .kernel(.device("/dev/fuse")),
            .sandbox
        )
        func stormThatDoesNotFreeze() throws {
            let sandbox = try Sandbox.of()
            let elsewhere = try #require(sandbox.unified).subgroup("elsewhere")
            let mount = "\(sandbox.folder)/served"
            #expect(mkdir(mount, 0o700) == 0)
            let server = try sandbox.testkit("servefile", mount, "--no-reads", in: .none)
            let scene = try Scene("stuck", "\(server.id)", mount, "10", room: "session")
            let strays = try scene.group.processes().filter { $0 != scene.leader.pid }.sorted()
            for pid in strays { Files.write("\(pid)", to: "\(elsewhere.path)/cgroup.procs", create: false) }
            let result = try scene.freeze()
            #expect(result.word != .confirmed, "\(result)")
            let wanted = "11 strays stay stopped by a signal: their group does not freeze"
            #expect(result.notes.contains(wanted), "\(result.notes)")
            #expect(!result.effects.contains { if case .signal(_, SIGCONT) = $0 { true } else { false } })
            server.signal(SIGKILL)
        }

        @Test("RT27 the same child without a strong mark is listed, and the word does not change", .sandbox)
        func onlyListed() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("doublefork", room: "session")
            let orphan = try #require(scene.ready.first)
            Files.write("\(orphan)", to: "\(elsewhere.path)/cgroup.procs", create: false)
            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.strays.isEmpty)
            let listed = try #require(result.listed.first { $0.process.pid == orphan })
            #expect(listed.marks.contains(.orphan) && !listed.isHeld)
            #expect(elsewhere.processes == [orphan])

            let named = Subject(pin: scene.subject.pin, included: [listed.process])
            let again = try scene.freeze(named)
            #expect(again.strays.first { $0.process.pid == orphan }?.isHeld == true)
            #expect(try scene.thaw(again).isComplete)
            #expect(try scene.thaw(result).isComplete)
        }

        @Test("without a group of its own the session is gathered in a quarantine and put back", .sandbox)
        func quarantine() throws {
            let scene = try Scene("sleepers", "20")
            let subject = Subject(pin: SessionPin(bootID: scene.host.bootID, cgroups: [], leader: scene.leader))
            let result = try scene.freeze(subject)
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.processes == 21)
            #expect(result.strays.isEmpty)
            let quarantine = try Cgroup(try #require(result.quarantine), on: scene.host)
            #expect(try quarantine.owner() == 0 && quarantine.isFrozenNow())
            #expect(scene.unified.processes.isEmpty)
            #expect(result.cut?.notReached.isEmpty == false)
            let thawed = try scene.thaw(result)
            #expect(thawed.isComplete, "\(thawed)")
            #expect(scene.unified.processes.count == 21)
            #expect(!quarantine.stillExists())
        }

        @Test("RT11 a foreign process inside is moved aside, runs on, survives the kill and is put back", .sandbox)
        func guest() throws {
            let outsider = try Sandbox.of().testkit("sleepers", "1", in: .none)
            let guest = try #require(try descendants(of: outsider.id).last)
            let born = try #require(ProcessScanner(try Host()).stat(of: guest)?.startTicks)
            #expect(eventually { Ticks.now() > born })
            let scene = try Scene("sleepers", "3")
            Files.write("\(guest)", to: "\(scene.unified.path)/cgroup.procs", create: false)
            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.guests.map(\.process.pid) == [guest])
            #expect(result.guests.map(\.isSpared) == [true])
            #expect(result.processes == 4)
            #expect(!scene.unified.processes.contains(guest))
            Files.write("\(guest)", to: "\(scene.unified.path)/cgroup.procs", create: false)
            let killed = try Killer(scene.host).kill(
                result,
                scene.subject,
                KillPolicy(watchMilliseconds: 0),
                apply: scene.record
            )
            #expect(killed.spared.map(\.process.pid) == [guest])
            #expect(killed.isComplete, "\(killed)")
            #expect(Glibc.kill(guest, 0) == 0)
        }

        @Test("RT11 an older stranger who was moved in and is taken for the leader does not confirm a freeze", .sandbox)
        func olderStranger() throws {
            let daemon = try Sandbox.of().start(Program(try Sandbox.testkitPath(), ["doublefork"]))
            let line = try daemon.line { $0.hasPrefix("ready") }
            let stranger = try #require(line.split(separator: " ").last.flatMap { Int32($0) })
            let scene = try Scene("sleepers", "1")
            Files.write("\(stranger)", to: "\(scene.unified.path)/cgroup.procs", create: false)
            let locator = try Locator(parsing: "cgroup:/\(scene.sandbox.name)")
            let session = try SessionResolver(host: scene.host).resolve(locator)
            #expect(session.pin.leader?.pid == stranger)

            let result = try scene.freeze(Subject(session))
            #expect(result.guests.contains { $0.process == scene.leader && $0.isSpared && $0.doubt != nil })
            #expect(result.word == .partial, "\(result)")
            #expect(FreezeWords.shortfalls(of: result).allSatisfy { $0.hasPrefix("guest ") }, "\(result)")
            let again = try Freezer(scene.host).freeze(
                Subject(session),
                after: EarlierFreeze(aside: result.aside, spared: result.guests.map(\.process)),
                apply: scene.record
            )
            #expect(again.word == .partial, "\(again)")
            let policy = KillPolicy(watchMilliseconds: 0)
            let killed = try Killer(scene.host).kill(again, Subject(session), policy, apply: scene.record)
            #expect(killed.strays.contains { $0.process == scene.leader }, "\(killed)")
            #expect(!killed.isComplete)
        }

        @Test("RT11 Quell leaves the group itself instead of refusing or freezing itself")
        func ownGroup() async {
            await #expect(processExitsWith: .success) {
                let host = try Host()
                guard let unified = host.unified else { exit(70) }
                let root = try Cgroup(BytePath("/"), in: unified)
                let group = try root.makeChild("quell-test-\(getpid())-0")
                try group.adopt(getpid())
                let child = try Program("/bin/sleep", ["60"]).start()
                let leader = try ProcessDirectory(child.id, on: host).stat().pin
                let subject = Subject(pin: SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: leader))
                let result = try Freezer(host).freeze(subject) { _, act throws(Failure) in try act() }
                let isOut = try ProcessDirectory(getpid(), on: host).cgroups()
                    .contains { $0.hierarchy == "v2" && $0.path == BytePath("/") }
                let status: Int32 = !isOut ? 71 : result.processes != 1 ? 72 : result.word == .confirmed ? 0 : 73
                try group.killAll()
                _ = try FreezerControl(group).waitUntilEmpty(until: Deadline(after: .seconds(5)))
                try group.remove()
                exit(status)
            }
        }

        @Test("a member that is moved out after the freeze breaks the proof", .sandbox)
        func movedOutLater() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("sleepers", "2", room: "session")
            let result = try scene.freeze()
            #expect(try FreezeCheck(of: result, on: scene.host).stands)
            let victim = try #require(result.members.last)
            Files.write("\(victim.pid)", to: "\(elsewhere.path)/cgroup.procs", create: false)
            let check = try FreezeCheck(of: result, on: scene.host)
            #expect(!check.stands)
            #expect(check.movedOut == [victim])
            scene.unified.setFrozen(false)
            #expect(try FreezeCheck(of: result, on: scene.host).thawed == [scene.group.pin])
        }

        @Test("a thaw continues who is stopped, and does not stop who was stopped for a moment only", .sandbox)
        func momentarilyStopped() throws {
            let scene = try Scene("sleepers", "1")
            let stop = ContainmentEffect.signal(process: scene.leader, number: SIGSTOP)
            let go = ContainmentEffect.signal(process: scene.leader, number: SIGCONT)
            func signals(takingBack effects: [ContainmentEffect]) throws -> [ContainmentEffect] {
                var done: [ContainmentEffect] = []
                _ = try Thaw.thaw(effects, members: [], on: scene.host) { batch, act throws(Failure) in
                    done += batch
                    try act()
                }
                return done
            }
            #expect(try signals(takingBack: [stop, go]).isEmpty)
            kill(scene.leader.pid, SIGSTOP)
            #expect(eventually { (try? stop.probe(on: scene.host)) == .done })
            #expect(try signals(takingBack: [stop, go, stop]) == [go])
            #expect(eventually { (try? go.probe(on: scene.host)) == .done })
        }

        @Test("without rights everything is stopped by signals, and the word is partial")
        func signals() async {
            await #expect(processExitsWith: .success) {
                guard setgid(65_534) == 0, setuid(65_534) == 0 else { exit(70) }
                let child = try Program("/bin/sleep", ["60"]).start()
                let host = try Host()
                let leader = try ProcessDirectory(child.id, on: host).stat().pin
                let subject = Subject(pin: SessionPin(bootID: host.bootID, cgroups: [], leader: leader))
                let result = try Freezer(host).freeze(subject) { _, act throws(Failure) in try act() }
                let state = try ProcessDirectory(child.id, on: host).stat().numbers.state
                guard result.word == .partial, result.bySignals, state == UInt8(ascii: "T") else { exit(71) }
                _ = try Thaw.thaw(result.effects, members: result.members, on: host) { _, act throws(Failure) in
                    try act()
                }
                let after = try ProcessDirectory(child.id, on: host).stat().numbers.state
                kill(child.id, SIGKILL)
                exit(after == UInt8(ascii: "T") ? 72 : 0)
            }
        }
    }
}
