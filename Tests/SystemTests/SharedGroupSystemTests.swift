import Base
import Containment
import Glibc
import Kernel
import Programs
import Sessions
import Testing

extension SystemTests {
    /// Sessions without a cgroup of their own: sandboxes that keep no state, and plain processes of a login or a tmux.
    @Suite(
        "sessions in somebody else's cgroup",
        .kernel(.root, .cgroup2, .program("bwrap"), .program("firejail"), .program("tmux"))
    )
    struct SharedGroupSystemTests {
        @Test(
            "any process names all of the session and nobody else, and the list shows it",
            .sandbox,
            arguments: SharedRuntime.allCases
        )
        func found(runtime: SharedRuntime) throws {
            try runtime.with { scene in
                let resolver = SessionResolver(host: try Host())
                // Of plain processes only the first one names the whole: a part of a tree is a session, too.
                for pid in runtime.kind == .process ? [scene.named[0]] : scene.named {
                    let session = try resolver.resolve(.pid(pid))
                    #expect(Set(session.members.map(\.pin.pid)) == Set(scene.session), "pid:\(pid)")
                    #expect(session.leader?.pin.pid == scene.session.first && session.runtime == runtime.kind)
                    #expect(session.guests.isEmpty && session.pin.cgroups.isEmpty)
                }
                let question = SessionQuestion(includesPlain: true)
                let list = try SessionList.look(at: Host(), asking: question, by: Deadline(after: .seconds(10)))
                guard runtime.kind != .process else { return }
                let listed = list.sessions.first { $0.leader.pid == scene.session.first }
                #expect(listed?.runtime.kind == runtime.kind && listed?.processes == scene.session.count)
                #expect(listed?.runtime.cgroup.path.lastComponent == BytePath("session-7.scope"))
                #expect(listed?.memory.source == .resident && listed?.uid == runtime.user)
            }
        }

        @Test(
            "freeze holds all of it and no bystander, thaw puts it back, kill leaves nothing of it",
            .sandbox,
            arguments: SharedRuntime.allCases
        )
        func conforms(runtime: SharedRuntime) throws {
            try runtime.with { scene in
                let host = try Host()
                let last = runtime.kind == .process ? scene.named[0] : scene.named[1]
                let session = try SessionResolver(host: host).resolve(.pid(last))
                let subject = Subject(session)

                let frozen = try Freezer(host).freeze(subject, apply: Conformance.apply)
                defer { Conformance.takeAway(frozen, host) }
                #expect(frozen.word == .confirmed, "\(frozen)")
                #expect(frozen.processes == scene.session.count)
                #expect(Set(frozen.members.map(\.pid)) == Set(scene.session))
                #expect(!Conformance.runs(scene.busy, host, within: .milliseconds(200)))
                #expect(Conformance.runs(scene.busyBystander, host, within: .seconds(5)))
                #expect(Set(scene.home.processes).isSuperset(of: scene.bystanders))
                #expect(Set(scene.home.processes).isDisjoint(with: scene.session))
                #expect(!scene.home.isFrozen && frozen.cut?.failures == [], "\(frozen)")
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
                #expect(Set(scene.home.processes).isSuperset(of: scene.session + scene.bystanders))

                let again = try Freezer(host).freeze(subject, apply: Conformance.apply)
                defer { Conformance.takeAway(again, host) }
                #expect(again.word == .confirmed, "\(again)")
                let policy = KillPolicy(watchMilliseconds: 500)
                let killed = try Killer(host).kill(again, subject, policy, apply: Conformance.apply)
                #expect(killed.isComplete, "\(killed)")
                #expect(killed.processes == scene.session.count)
                #expect(scene.session.allSatisfy { Conformance.hasEnded($0, host) })
                #expect(scene.bystanders.allSatisfy { !Conformance.hasEnded($0, host) })
                #expect(Conformance.runs(scene.busyBystander, host, within: .seconds(5)))
            }
        }

        @Test("RT4 the loop that would start a sandbox again is held, whichever of its processes is named", .sandbox)
        func loop() throws {
            let sandbox = try Sandbox.of()
            let bwrap = try #require(Program.find("bwrap"))
            let script = "while :; do \(bwrap) --ro-bind / / --proc /proc --unshare-pid sleep 1000; done"
            let shell = try sandbox.start(Program("/bin/sh", ["-c", script]))
            let host = try Host()
            var inside: Int32?
            let isReady = eventually(within: .seconds(20)) {
                inside = Conformance.tree(of: shell.id, host).first { $0.name == BytePath("sleep") }?.pid
                return inside != nil
            }
            try #require(isReady)
            let session = try SessionResolver(host: host).resolve(.pid(try #require(inside)))
            let subject = Subject(session)
            let frozen = try Freezer(host).freeze(subject, apply: Conformance.apply)
            defer { Conformance.takeAway(frozen, host) }
            #expect(frozen.word == .confirmed, "\(frozen)")
            let held = frozen.supervisors.first
            #expect(frozen.supervisors.count == 1 && held?.kind == .parentLoop && held?.process?.pid == shell.id)
            let killed = try Killer(host).kill(
                frozen,
                subject,
                KillPolicy(watchMilliseconds: 500),
                apply: Conformance.apply
            )
            #expect(killed.isComplete && killed.successors.isEmpty, "\(killed)")
            #expect(session.members.allSatisfy { Conformance.hasEnded($0.pin.pid, host) })
            shell.signal(SIGKILL)
        }
    }
}
