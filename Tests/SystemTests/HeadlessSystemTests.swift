import Base
import Glibc
import Kernel
import Programs
import Testing

@testable import Containment

extension SystemTests {
    /// A v2 group lists such a process where its first thread ended, wherever the others go.
    @Suite("processes whose first thread has ended", .kernel(.root, .cgroup2))
    struct HeadlessSystemTests {
        @Test("RT5 one whose living thread stands outside is a stray: moved once, held, put back", .sandbox)
        func stray() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("zombieleader", room: "session")
            let pid = try #require(scene.ready.first)
            Files.write("\(pid)", to: "\(elsewhere.path)/cgroup.procs", create: false)
            let origin = BytePath("/\(scene.sandbox.name)/elsewhere")
            #expect(try places(of: scene) == [origin])

            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.strays.filter(\.isHeld).map(\.process.pid) == [pid])
            #expect(result.processes == 2 && result.threads == 2, "\(result)")
            #expect(try places(of: scene) == [try #require(result.quarantine).path])
            for effect in result.effects {
                #expect(try effect.probe(on: scene.host) == .done, "\(effect.summary)")
            }
            let check = try FreezeCheck(of: result, on: scene.host)
            #expect(check.stands && check.joined.isEmpty, "\(check)")

            #expect(try scene.thaw(result).isComplete)
            #expect(try places(of: scene) == [origin])
        }

        @Test("RT5 one is gathered in a quarantine by one move, and killed there", .sandbox)
        func quarantine() throws {
            let scene = try Scene("zombieleader")
            let subject = Subject(pin: SessionPin(bootID: scene.host.bootID, cgroups: [], leader: scene.leader))
            let result = try scene.freeze(subject)
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.effects.count { if case .move = $0 { true } else { false } } == 2)
            #expect(result.processes == 2 && result.threads == 2, "\(result)")
            let check = try FreezeCheck(of: result, on: scene.host)
            #expect(check.stands && check.processes == 2, "\(check)")
            try expectKilled(scene, result, subject)
        }

        @Test("RT5 one is killed with its group", .sandbox)
        func killed() throws {
            let scene = try Scene("zombieleader")
            try expectKilled(scene, try scene.freeze(), scene.subject)
        }

        @Test("RT5 one is killed with its v1 group", .kernel(.v1freezer), .sandbox)
        func killedInVersionOne() throws {
            let scene = try Scene("zombieleader", placement: .freezer)
            let subject = try scene.subjectInFreezer()
            try expectKilled(scene, try scene.freeze(subject), subject)
        }

        @Test("RT28 one that is moved out after the freeze breaks the proof, and is killed all the same", .sandbox)
        func movedOutLater() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("zombieleader", room: "session")
            let result = try scene.freeze()
            #expect(try FreezeCheck(of: result, on: scene.host).stands)
            let pid = try #require(scene.ready.first)
            Files.write("\(pid)", to: "\(elsewhere.path)/cgroup.procs", create: false)
            let check = try FreezeCheck(of: result, on: scene.host)
            #expect(!check.stands)
            #expect(check.movedOut.map(\.pid) == [pid])
            try expectKilled(scene, result, scene.subject)
        }

        @Test(
            "RT5 one that would start the session again is held, goes back, and is held again once it was moved out",
            .sandbox
        )
        func supervisor() throws {
            let elsewhere = try #require(try Sandbox.of().unified).subgroup("elsewhere")
            let scene = try Scene("zombieleader", room: "session")
            let pid = try #require(scene.ready.first)
            Files.write("\(pid)", to: "\(elsewhere.path)/cgroup.procs", create: false)
            let origin = BytePath("/\(scene.sandbox.name)/elsewhere")
            let pin = try ProcessDirectory(pid, on: scene.host).stat().pin
            var findings = SupervisorSearch.Findings()
            findings.supervisors = [
                Supervisor(kind: .parentLoop, name: BytePath("x"), detail: "planted", process: pin)
            ]
            let hold = SupervisorHold(scene.host)
            let first = hold.hold(findings, scene.record)
            defer { Holds.remove(first.effects, on: scene.host) }
            #expect(first.isComplete, "\(first)")
            guard case .hold(_, let from, let into) = try #require(first.effects.last) else {
                Issue.record("\(first)")
                return
            }
            #expect(from.path == origin)
            #expect(try places(of: scene) == [into.path])
            let second = hold.hold(findings, scene.record)
            #expect(second.isComplete && second.effects.isEmpty, "\(second)")

            Files.write("\(pid)", to: "\(elsewhere.path)/cgroup.procs", create: false)
            let again = hold.hold(findings, scene.record)
            defer { Holds.remove(again.effects, on: scene.host) }
            #expect(again.isComplete && !again.effects.isEmpty, "\(again)")
            let released = try SupervisorHold.letGo(again.effects, on: scene.host, apply: scene.record)
            #expect(released.isComplete, "\(released)")
            #expect(try places(of: scene) == [origin])
        }

        /// Where the thread that lives stands in v2.
        private func places(of scene: Scene) throws -> [BytePath] {
            let (pid, thread) = (try #require(scene.ready.first), try #require(scene.ready.last))
            return try ProcessDirectory(pid, on: scene.host).threadCgroups(thread).filter { $0.hierarchy == "v2" }
                .map(\.path)
        }

        private func expectKilled(_ scene: Scene, _ result: FreezeResult, _ subject: Subject) throws {
            let pid = try #require(scene.ready.first)
            let pin = try ProcessDirectory(pid, on: scene.host).stat().pin
            let signal = ContainmentEffect.signal(process: pin, number: SIGKILL)
            #expect(try signal.probe(on: scene.host) == .notDone)
            let killed = try Killer(scene.host).kill(
                result,
                subject,
                KillPolicy(watchMilliseconds: 0),
                apply: scene.record
            )
            #expect(killed.isComplete && killed.processes == 2, "\(killed)")
            #expect(killed.emptied == result.groups.map(\.group))
            #expect(try signal.probe(on: scene.host) == .done)
        }
    }
}
