import Base
import Casework
import Containment
import Engine
import Glibc
import Kernel
import Programs
import Response
import Sessions
import Testing

extension SystemTests {
    /// What fails, ends or goes away while Quell is at it.
    @Suite("mishaps", .kernel(.root, .cgroup2))
    struct MishapSystemTests {
        @Test("a quarantine that cannot be made leaves the stray told and the rest frozen", .sandbox)
        func noQuarantine() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("movecgroup", elsewhere.path, room: "session")
            let result = try Freezer(scene.host).freeze(scene.subject) { effects, act throws(Failure) in
                if case .makeGroup = effects.first {
                    throw Failure(errno: ENOSPC, "make a cgroup", on: BytePath("/"))
                }
                try act()
            }
            #expect(result.word == .partial)
            #expect(result.groups.map(\.isFrozen) == [true])
            #expect(scene.unified.isFrozen)
            #expect(result.quarantine == nil)
            #expect(result.strays.map(\.process.pid) == scene.ready)
            let isTold = result.strays.allSatisfy { !$0.isHeld && $0.reason?.contains("ENOSPC") == true }
            #expect(isTold, "\(result.strays)")
            #expect(elsewhere.processes == scene.ready)
        }

        @Test("RT28 what ran between two freezes is seen by the CPU time of its group", .sandbox)
        func ranMeanwhile() throws {
            let scene = try Scene("hog", "1")
            let result = try scene.freeze()
            let before = try FreezeCheck(of: result, on: scene.host)
            #expect(before.stands && before.usedMicroseconds == 0, "\(before)")
            scene.unified.setFrozen(false)
            let used = try scene.group.cpuMicroseconds()
            #expect(eventually { (try? scene.group.cpuMicroseconds()) != used })
            scene.unified.setFrozen(true)
            #expect(eventually { scene.unified.isFrozen })
            let after = try FreezeCheck(of: result, on: scene.host)
            #expect(after.thawed.isEmpty)
            #expect((after.usedMicroseconds ?? 0) > 0)
            #expect(!after.stands)
        }

        @Test("the group of a self-test that a killed Quell left begun goes with the next isolate", .sandbox)
        func openTrial() throws {
            let scene = try Scene("sleepers", "1")
            let root = BytePath("\(scene.sandbox.folder)/store")
            let key = try CaseStore.initialise(at: root)
            let store = CaseStore(at: root, host: try HostIdentity.read(), key: key, spools: nil)
            let pin = scene.subject.pin
            let home = try store.create(about: [pin], reason: "", by: .quell)
            let trial = ContainmentEffect.beginTrial(parent: scene.group.pin, name: "quell-0123456789abcdef")
            let pins: JSONValue = ["topic": "step-started", "pins": try JSONEncoding.value(of: [pin])]
            let intent: JSONValue = ["effect": 0, "what": try JSONEncoding.value(of: trial)]
            try home.journal.append([
                EntryDraft(.note, pins, by: .quell, run: "run-1", step: "isolate"),
                EntryDraft(.intent, intent, by: .quell, run: "run-1", step: "isolate"),
            ])
            let left = scene.unified.subgroup("quell-0123456789abcdef")
            let session = SessionReference(locator: .pid(scene.leader.pid), pin: pin)
            let isolated = Single(in: home, by: .quell)
                .run(IsolateAction(on: scene.host, home: home), IsolateAction.Input(session: session))
            #expect(isolated.outcome == .done, "\(isolated.step)")
            #expect(!Files.exists(left.path))
        }

        @Test("a process that ends while it is put back is on record as not moved", .sandbox)
        func endsWhilePutBack() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("movecgroup", elsewhere.path, room: "session")
            let result = try scene.freeze()
            let stray = try #require(result.strays.first?.process)
            var recorded: [Failure] = []
            let thawed = try Containment.Thaw.thaw(
                result.effects,
                members: result.members,
                on: scene.host
            ) { effects, act throws(Failure) in
                let isMove = effects.contains { if case .move(stray, _, _) = $0 { true } else { false } }
                if isMove {
                    Glibc.kill(stray.pid, SIGKILL)
                    // Its parent is frozen and takes no note of its end: the kernel would move it, and move nothing.
                    let scanner = ProcessScanner(scene.host)
                    #expect(eventually { scanner.stat(of: stray.pid)?.isZombie != false })
                }
                do throws(Failure) {
                    try act()
                } catch {
                    recorded.append(error)
                    throw error
                }
            }
            #expect(recorded.map(\.code) == [.notFound], "\(recorded)")
            #expect(thawed.putBack.isEmpty)
            #expect(thawed.isComplete, "\(thawed)")
        }

        @Test("RT11 a guest that ends while it is moved aside spares nobody of the session", .sandbox)
        func guestEnds() throws {
            let scene = try Scene("sleepers", "3")
            let guest = try scene.sandbox.start(Program("/bin/sleep", ["60"]))
            let born = try #require(ProcessScanner(scene.host).stat(of: guest.id)?.startTicks)
            #expect(eventually { Ticks.now() > born })
            let result = try scene.freeze()
            Files.write("\(guest.id)", to: "\(scene.unified.path)/cgroup.procs", create: false)
            var isEnded = false
            var recorded: [Failure] = []
            let killed = try Killer(scene.host).kill(
                result,
                scene.subject,
                KillPolicy(watchMilliseconds: 0)
            ) { effects, act throws(Failure) in
                for case .move(let process, _, _) in effects where process.pid == guest.id {
                    guest.signal(SIGKILL)
                    do { isEnded = try guest.finish().status == 128 + SIGKILL } catch { Issue.record(error) }
                }
                do throws(Failure) {
                    try act()
                } catch {
                    recorded.append(error)
                    throw error
                }
            }
            #expect(isEnded)
            #expect(recorded.map(\.code) == [.notFound], "\(recorded)")
            #expect(killed.spared.isEmpty, "whoever ended was not moved")
            #expect(killed.isComplete, "\(killed)")
            #expect(killed.processes == 4)
            #expect(scene.unified.processes.isEmpty)
        }
    }
}
