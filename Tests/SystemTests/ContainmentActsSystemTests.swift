import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    @Suite("cut, kill, refusals", .kernel(.root, .cgroup2))
    struct ContainmentActsSystemTests {
        @Test("RT22 the drop stops an open connection, and release leaves the programs as they were", .sandbox)
        func cut() throws {
            let sandbox = try Sandbox.of()
            let peer = try sandbox.start(Program(try Sandbox.testkitPath(), ["peer", "0"]))
            let port = try peer.line { $0.hasPrefix("ready") }.split(separator: " ").last.map(String.init) ?? ""
            let scene = try Scene("client", "127.0.0.1", port)
            let before = try DropProgram.attached(to: scene.group, .egress)
            #expect(try grows(peer))
            let cut = try Cut.drop([scene.group.pin], on: scene.host, apply: scene.record)
            #expect(cut.isComplete, "\(cut)")
            #expect(try Cut.stands(cut, on: scene.host))
            _ = try grows(peer)
            #expect(try !grows(peer))
            let released = try Cut.release(cut.drops, on: scene.host, apply: scene.record)
            #expect(released.released == cut.drops)
            #expect(try DropProgram.attached(to: scene.group, .egress) == before)
            #expect(try !Cut.stands(cut, on: scene.host))
            #expect(eventually(within: .seconds(10)) { (try? grows(peer)) ?? false })
        }

        /// Whether the peer gets anything within 60 ms.
        private func grows(_ peer: Child) throws -> Bool {
            func count() throws -> UInt64 {
                peer.signal(SIGUSR1)
                return try UInt64(peer.line { $0.hasPrefix("bytes") }.split(separator: " ").last ?? "") ?? 0
            }
            let first = try count()
            return try eventually(within: .milliseconds(60)) { (try? count()) != first } && count() != first
        }

        @Test("RT2 thaw keeps the cut unless release is asked for", .sandbox)
        func thawKeepsCut() throws {
            let scene = try Scene("sleepers", "1")
            let result = try scene.freeze()
            let drop = try #require(result.cut?.drops.first)
            let thawed = try scene.thaw(result, release: false)
            #expect(thawed.keptDrops == [drop])
            #expect(try DropProgram.attached(to: scene.group, .ingress).contains(drop.program))
            #expect(try !scene.group.isFrozenNow())
            _ = try Cut.release([drop], on: scene.host, apply: scene.record)
        }

        @Test("a second freeze finds the drop of the first, tells it and attaches no other", .sandbox)
        func cutsOnce() throws {
            let scene = try Scene("sleepers", "1")
            let first = try scene.freeze()
            let before = try DropProgram.attached(to: scene.group, .egress)
            let second = try scene.freeze()
            #expect(second.cut?.drops == first.cut?.drops)
            #expect(second.cut?.isComplete == true)
            #expect(try DropProgram.attached(to: scene.group, .egress) == before)
            _ = try scene.thaw(first, release: true)
            #expect(try DropProgram.attached(to: scene.group, .egress).isEmpty)
        }

        @Test("a release does not claim what somebody else did, and one drop that fails stops no other", .sandbox)
        func releaseInPart() throws {
            let scene = try Scene("sleepers", "1")
            let below = scene.unified.subgroup("below")
            _ = below
            let second = try Cgroup(scene.group.path.appending("below"), in: scene.group.hierarchy)
            let cut = try Cut.drop([scene.group.pin, second.pin], on: scene.host, apply: scene.record)
            let drop = try #require(cut.drops.first)
            let other = try #require(cut.drops.last)
            #expect(drop != other)
            for direction in PacketDirection.allCases {
                try DropProgram.detach(id: drop.program, from: scene.group, direction)
            }
            // Nobody can open a path that leads out of the hierarchy.
            let outside = CgroupPin(hierarchy: "v2", path: BytePath("/../proc"), inode: 1)
            let broken = Drop(group: outside, program: drop.program)
            let released = try Cut.release([broken, drop, other], on: scene.host, apply: scene.record)
            #expect(released.released == [other])
            #expect(released.gone == [drop])
            #expect(released.failures.count == 1)
            #expect(try DropProgram.attached(to: second, .egress).isEmpty)
        }

        @Test("a frozen session is killed until nothing is left, in v2", .sandbox)
        func kill() throws {
            let scene = try Scene("sleepers", "50")
            let result = try scene.freeze()
            let killed = try Killer(scene.host).kill(
                result,
                scene.subject,
                KillPolicy(watchMilliseconds: 200),
                apply: scene.record
            )
            #expect(killed.isComplete, "\(killed)")
            #expect(killed.processes == 51)
            #expect(killed.emptied == [scene.group.pin])
        }

        @Test("v1-frozen processes die too", .kernel(.v1freezer), .sandbox)
        func killVersionOne() throws {
            let scene = try Scene("sleepers", "20", placement: .freezer)
            let subject = try scene.subjectInFreezer()
            let result = try scene.freeze(subject)
            let killed = try Killer(scene.host).kill(
                result,
                subject,
                KillPolicy(watchMilliseconds: 0),
                apply: scene.record
            )
            #expect(killed.isComplete, "\(killed)")
            #expect(scene.sandbox.freezer?.processes.isEmpty == true)
        }

        @Test("what is not frozen is not killed", .sandbox)
        func killRefused() throws {
            let scene = try Scene("sleepers", "1")
            let result = try scene.freeze()
            _ = try scene.thaw(result)
            let failure = #expect(throws: Failure.self) {
                _ = try Killer(scene.host).kill(result, scene.subject, apply: scene.record)
            }
            #expect(failure?.code == .refused)
            #expect(scene.unified.processes.count == 2)
        }

        @Test("the root, slices, and what the machine needs are refused; a reason opens the last two", .sandbox)
        func refusals() throws {
            let sandbox = try Sandbox.of()
            let host = try Host()
            let unified = try #require(host.unified)
            let root = try Cgroup(BytePath("/"), in: unified)
            let outer = try #require(sandbox.unified)
            let slice = outer.subgroup("agents.slice")
            let sshd = "\(sandbox.folder)/sshd"
            #expect(try Program("/bin/cp", ["/bin/sleep", sshd]).run().status == 0)
            let script = #""$0" enter "$1" -- "$2" 60 & echo ready $!"#
            let shell = Program("/bin/sh", ["-c", script, try Sandbox.testkitPath(), outer.path, sshd])
            let line = try sandbox.start(shell).line { $0.hasPrefix("ready") }
            let daemon = try #require(line.split(separator: " ").last.flatMap { Int32($0) })
            let isReady = eventually {
                guard let stat = ProcessScanner(host).namedStat(of: daemon) else { return false }
                return stat.name == BytePath("sshd") && stat.numbers.parent == 1
            }
            #expect(isReady)
            let leader = try ProcessDirectory(daemon, on: host).stat().pin
            let own = try Cgroup(BytePath("/\(sandbox.name)"), in: unified)
            let below = try Cgroup(BytePath("/\(sandbox.name)/agents.slice"), in: unified)
            _ = slice
            for (groups, first) in [
                ([root.pin], nil), ([below.pin], nil), ([own.pin], leader), ([], leader), ([own.pin], nil),
            ] {
                let subject = Subject(pin: SessionPin(bootID: host.bootID, cgroups: groups, leader: first))
                let failure = #expect(throws: Failure.self) {
                    _ = try Freezer(host).freeze(subject) { _, act throws(Failure) in try act() }
                }
                #expect(failure?.code == .refused)
            }
            let subject = Subject(pin: SessionPin(bootID: host.bootID, cgroups: [own.pin], leader: leader))
            let result = try Freezer(host).freeze(subject, FreezePolicy(cut: false, broad: "a drill")) {
                _,
                act throws(Failure) in try act()
            }
            #expect(result.word == .confirmed)
            let first = try ProcessDirectory(1, on: host).stat().pin
            let failure = #expect(throws: Failure.self) {
                let pin = SessionPin(bootID: host.bootID, cgroups: [], leader: first)
                _ = try Freezer(host).freeze(Subject(pin: pin), FreezePolicy(broad: "yes")) { _, act throws(Failure) in
                    try act()
                }
            }
            #expect(failure?.code == .refused)
        }

        @Test("a session that takes the name of what the machine needs is frozen all the same", .sandbox)
        func takenNames() throws {
            let sandbox = try Sandbox.of()
            let sshd = "\(sandbox.folder)/sshd"
            #expect(try Program("/bin/cp", [try Sandbox.testkitPath(), sshd]).run().status == 0)
            let below = try #require(sandbox.unified).subgroup("below")
            let scene = try Scene("enter", "--", sshd, "movecgroup", below.path)
            let child = try #require(scene.ready.first)
            let scanner = ProcessScanner(scene.host)
            for pid in [scene.leader.pid, child] {
                #expect(scanner.namedStat(of: pid)?.name == BytePath("sshd"))
            }
            #expect(below.processes == [child])
            let result = try scene.freeze()
            #expect(result.processes == 2, "\(result)")
        }

        @Test("RT35 a reused pid, a remade and a vanished group end with a clear failure", .sandbox)
        func changed() throws {
            let scene = try Scene("sleepers", "0")
            func code(_ cgroups: [CgroupPin], _ leader: ProcessPin?, boot: String? = nil) -> Failure.Code? {
                let pin = SessionPin(bootID: boot ?? scene.host.bootID, cgroups: cgroups, leader: leader)
                return #expect(throws: Failure.self) { _ = try scene.freeze(Subject(pin: pin)) }?.code
            }
            let reused = ProcessPin(pid: scene.leader.pid, startTicks: scene.leader.startTicks - 1)
            #expect(code([scene.group.pin], reused) == .changed)
            let remade = CgroupPin(hierarchy: "v2", path: scene.group.path, inode: scene.group.inode + 1)
            #expect(code([remade], scene.leader) == .changed)
            let gone = CgroupPin(hierarchy: "v2", path: scene.group.path.appending("gone"), inode: 5)
            #expect(code([gone], nil) == .notFound)
            #expect(code([scene.group.pin], scene.leader, boot: "another") == .changed)
            #expect(scene.effects.isEmpty)
        }

        @Test("a group that vanishes between intent and act is told as not found", .sandbox)
        func vanishes() throws {
            let sandbox = try Sandbox.of()
            let host = try Host()
            let below = try #require(sandbox.unified).subgroup("below")
            let group = try Cgroup(BytePath("/\(sandbox.name)/below"), in: try #require(host.unified))
            let subject = Subject(pin: SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: nil))
            let failure = #expect(throws: Failure.self) {
                _ = try Freezer(host).freeze(subject) { _, act throws(Failure) in
                    rmdir(below.path)
                    try act()
                }
            }
            #expect(failure?.code == .notFound)
            #expect(
                try ContainmentEffect.freeze(group: group.pin, requestedBefore: false).probe(on: host) == .cannotTell
            )
        }

        @Test("RT13 freezing opens nothing that the session can watch", .sandbox)
        func silent() throws {
            let scene = try Scene("sleepers", "5")
            let watch = inotify_init1(Int32(O_NONBLOCK))
            defer { close(watch) }
            inotify_add_watch(watch, scene.sandbox.folder, 0xfff)
            inotify_add_watch(watch, try Sandbox.testkitPath(), 0xfff)
            _ = try scene.freeze()
            var buffer = [UInt8](repeating: 0, count: 4096)
            #expect(read(watch, &buffer, buffer.count) == -1 && errno == EAGAIN)
        }
    }
}
