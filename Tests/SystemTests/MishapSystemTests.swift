import Base
import Containment
import Glibc
import Kernel
import Programs
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

        @Test("RT11 a guest that ends while it is moved aside spares nobody of the session", .sandbox)
        func guestEnds() throws {
            let scene = try Scene("sleepers", "3")
            let guest = try scene.sandbox.start(Program("/bin/sleep", ["60"]))
            let born = try #require(ProcessScanner(scene.host).stat(of: guest.id)?.startTicks)
            #expect(eventually { Ticks.now() > born })
            let result = try scene.freeze()
            Files.write("\(guest.id)", to: "\(scene.unified.path)/cgroup.procs", create: false)
            var isEnded = false
            let killed = try Killer(scene.host).kill(
                result,
                scene.subject,
                KillPolicy(watchMilliseconds: 0)
            ) { effects, act throws(Failure) in
                for case .move(let process, _, _) in effects where process.pid == guest.id {
                    guest.signal(SIGKILL)
                    do { isEnded = try guest.finish().status == 128 + SIGKILL } catch { Issue.record(error) }
                }
                try act()
            }
            #expect(isEnded)
            #expect(killed.isComplete, "\(killed)")
            #expect(killed.processes == 4)
            #expect(scene.unified.processes.isEmpty)
        }
    }
}
