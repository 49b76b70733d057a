import Base
import Containment
import Glibc
import Kernel
import Programs
import Sessions
import Testing

extension SystemTests {
    /// A virtual machine of a real QEMU, emulated, with a boot sector that never ends.
    @Suite("virtual machines", .kernel(.root, .cgroup2, .program("qemu-system-x86_64"), .program("python3")))
    struct MachineSystemTests {
        @Test("freeze is confirmed, the monitor pauses it as a second means, and thaw lets it run again", .sandbox)
        func freezes() throws {
            let machine = try MachineScene()
            let host = try Host()
            let session = try SessionResolver(host: host).resolve(try Locator(parsing: "qmp:\(machine.path)"))
            #expect(session.runtime == .qemu && session.leader?.pin.pid == machine.child.id)
            let byPid = try SessionResolver(host: host).resolve(.pid(machine.child.id))
            #expect(byPid.pin == session.pin)
            let list = try SessionList.look(at: host, by: Deadline(after: .seconds(30)))
            #expect(list.sessions.first { $0.leader.pid == machine.child.id }?.runtime.kind == .qemu)
            #expect(machine.runs(host, within: .seconds(10)))

            let frozen = try Freezer(host).freeze(
                Subject(session),
                FreezePolicy(monitor: BytePath(machine.path)),
                apply: apply
            )
            #expect(frozen.word == .confirmed, "\(frozen)")
            #expect(frozen.notes.contains { $0.contains("says that the machine is paused") }, "\(frozen.notes)")
            #expect(!machine.runs(host, within: .milliseconds(300)))
            let pause = try #require(frozen.effects.first { if case .pauseMachine = $0 { true } else { false } })
            #expect(try pause.probe(on: host) == .cannotTell, "who is frozen does not answer")

            // Somebody beside Quell thaws the group: the machine stays paused.
            let group = try #require(try Sandbox.of().unified)
            #expect(group.setFrozen(false) == 0)
            #expect(eventually(within: .seconds(10)) { (try? pause.probe(on: host)) == .done })
            #expect(!machine.runs(host, within: .milliseconds(500)))
            let thawed = try Thaw.thaw(
                frozen.effects,
                members: frozen.members,
                release: true,
                on: host,
                apply: apply
            )
            #expect(thawed.isComplete, "\(thawed)")
            #expect(try pause.probe(on: host) == .notDone)
            #expect(machine.runs(host, within: .seconds(10)))
        }

        @Test("a machine that was paused before stays so", .sandbox)
        func pausedBefore() throws {
            let machine = try MachineScene(["-S"])
            let host = try Host()
            let session = try SessionResolver(host: host).resolve(try Locator(parsing: "qmp:\(machine.path)"))
            let policy = FreezePolicy(monitor: BytePath(machine.path))
            let frozen = try Freezer(host).freeze(Subject(session), policy, apply: apply)
            #expect(frozen.word == .confirmed)
            #expect(frozen.notes.contains("its monitor says that the machine did not run"), "\(frozen.notes)")
            let thawed = try Thaw.thaw(frozen.effects, members: frozen.members, release: true, on: host, apply: apply)
            #expect(thawed.isComplete && !machine.runs(host, within: .milliseconds(500)), "\(thawed)")
        }

        @Test(
            "RT8 a monitor that lies, is silent or never ends changes nothing: the frozen group alone confirms",
            .sandbox,
            arguments: [
                ("lies", "says that the machine is paused"), ("silent", "no answer in time"),
                ("endless", "it does not come to an end"), ("refuses", "it refuses"), ("garbage", "is not of"),
                ("mute", "nobody can tell whether the machine is paused"),
            ]
        )
        func liars(mode: String, words: String) throws {
            let liar = try LiarScene(mode)
            let host = try Host()
            let session = try SessionResolver(host: host).resolve(try Locator(parsing: "qmp:\(liar.path)"))
            #expect(session.leader?.pin.pid == liar.child.id)
            let policy = FreezePolicy(monitor: BytePath(liar.path))
            let log = Log(host)
            let frozen = try Freezer(host).freeze(Subject(session), policy, apply: log.apply)
            // Two waits of 300 ms, one for the question and one for the probe of what failed, would be 600.
            let waited = try #require(frozen.times.requested).since(frozen.times.began)
            #expect(waited < .milliseconds(600), "\(waited)")
            #expect(frozen.word == .confirmed, "\(frozen)")
            let said = frozen.notes.filter { $0.contains("its monitor") }
            #expect(said.count == 1, "\(frozen.notes)")
            if mode != "garbage" { #expect(said[0].contains(words), "\(said)") }
            #expect(try FreezeCheck(of: frozen, on: host).stands)
            let group = try Cgroup(try #require(frozen.groups.first?.group), on: host)
            let before = try group.cpuMicroseconds()
            #expect(!eventually(within: .milliseconds(300)) { (try? group.cpuMicroseconds()) != before })
        }

        @Test("a `stop` that QEMU comes to only after it was frozen is taken back by the thaw", .sandbox)
        func lateStop() throws {
            let liar = try LiarScene("late")
            let host = try Host()
            let session = try SessionResolver(host: host).resolve(try Locator(parsing: "qmp:\(liar.path)"))
            let policy = FreezePolicy(monitor: BytePath(liar.path))
            let log = Log(host)
            let frozen = try Freezer(host).freeze(Subject(session), policy, apply: log.apply)
            #expect(frozen.word == .confirmed, "\(frozen)")
            #expect(frozen.notes.contains { $0.contains("did not pause the machine") }, "\(frozen.notes)")
            let thawed = try Thaw.thaw(frozen.effects, members: frozen.members, release: true, on: host, apply: apply)
            #expect(thawed.isComplete, "\(thawed)")
            // It says what became of each command, the late one first.
            #expect(try liar.child.line { $0.hasPrefix("did") } == "did stop")
            #expect(try liar.child.line { $0.hasPrefix("did") } == "did cont")
        }

        @Test("a machine that a late `stop` keeps paused is told at thaw, with what to ask", .sandbox)
        func staysPaused() throws {
            let liar = try LiarScene("late-refusing")
            let host = try Host()
            let session = try SessionResolver(host: host).resolve(try Locator(parsing: "qmp:\(liar.path)"))
            let policy = FreezePolicy(monitor: BytePath(liar.path))
            let log = Log(host)
            let frozen = try Freezer(host).freeze(Subject(session), policy, apply: log.apply)
            let thawed = try Thaw.thaw(frozen.effects, members: frozen.members, release: true, on: host, apply: apply)
            #expect(!thawed.isComplete && !frozen.members.isEmpty)
            #expect(thawed.failures.contains { $0.reason.contains("the machine may be paused") }, "\(thawed)")
        }

        @Test(
            "RT7 RT13 a file server over the path of the monitor holds no freeze up",
            .sandbox,
            .kernel(.device("/dev/fuse"), .program("nsenter"))
        )
        func servedPath() throws {
            let sandbox = try Sandbox.of()
            let place = "\(sandbox.folder)/m"
            #expect(mkdir(place, 0o755) == 0)
            let liar = try LiarScene("lies", path: "\(place)/q.sock")
            // Requests are taken and never answered: whoever waits for one cannot even be killed.
            let server = try sandbox.testkit("servefile", place, in: .none)
            // Once it has answered, it heeds signals.
            #expect(access("/proc/\(server.id)/root\(place)/file", F_OK) == 0)
            server.signal(SIGUSR2)
            let store = "/var/tmp/\(sandbox.name)-store"
            let binary = try Sandbox.testkitPath().replacing("quell-testkit", with: "quell")
            defer {
                server.signal(SIGKILL)
                _ = Files.removeTree(store)
            }
            let quell = try sandbox.start(
                Program(
                    Program.find("nsenter") ?? "nsenter",
                    [
                        "--mount=/proc/\(server.id)/ns/mnt", binary, "freeze", "qmp:\(liar.path)", "--json",
                        "--no-hold-restart", "--store", store,
                    ]
                )
            )
            let frozen = eventually(within: .seconds(20)) { sandbox.unified?.isFrozen ?? false }
            #expect(frozen, "nothing is frozen")
            let result = try quell.finish(within: .seconds(30))
            #expect(result.status == 0, "\(result.text) \(result.errorText)")
            #expect(result.text.contains("no answer in time"), "\(result.text)")
        }

        @Test("others with many descriptors hold no freeze up, and the machine is found all the same", .sandbox)
        func crowdedTables() throws {
            let liar = try LiarScene("lies")
            for _ in 0..<6 {
                let crowd = try sandboxedCrowd()
                _ = try crowd.line { $0.hasPrefix("ready") }
            }
            let host = try Host()
            let began = ContinuousClock().now
            let session = try SessionResolver(host: host).resolve(try Locator(parsing: "qmp:\(liar.path)"))
            #expect(session.leader?.pin.pid == liar.child.id)
            #expect(ContinuousClock().now - began < .milliseconds(1500))
        }

        /// A process of QEMU's name with as many descriptors as it may have.
        private func sandboxedCrowd() throws -> Child {
            let script = """
                import os, resource, signal
                most = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 200000)
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
                open('/proc/self/comm', 'w').write('qemu-system-x86')
                for number in range(3, most): os.dup2(0, number)
                print('ready', flush=True)
                signal.pause()
                """
            return try Sandbox.of().start(Program(Program.find("python3") ?? "python3", ["-c", script]))
        }

        @Test("RT8 a socket that nobody listens on, or another program, is no machine", .sandbox)
        func others() throws {
            let host = try Host()
            let nobody = #expect(throws: Failure.self) {
                try SessionResolver(host: host).resolve(try Locator(parsing: "qmp:/run/nobody/here.sock"))
            }
            #expect(nobody?.code == .notFound)
            let other = try LiarScene("lies", name: "sshd")
            let refused = #expect(throws: Failure.self) {
                try SessionResolver(host: host).resolve(try Locator(parsing: "qmp:\(other.path)"))
            }
            #expect(refused?.code == .refused && refused?.reason.contains("not QEMU") == true)
            #expect(throws: Failure.self) { try Locator(parsing: "qmp:relative.sock") }
        }

        private func apply(_ effects: [ContainmentEffect], _ act: () throws(Failure) -> Void) throws(Failure) {
            try act()
        }
    }
}

/// Records what is done as the engine does: what a failed batch did is asked of the world.
private struct Log {
    let host: Host

    init(_ host: Host) { self.host = host }

    func apply(_ effects: [ContainmentEffect], _ act: () throws(Failure) -> Void) throws(Failure) {
        do throws(Failure) {
            try act()
        } catch {
            for effect in effects { _ = try effect.probe(on: host) }
            throw error
        }
    }
}

/// A QEMU in the sandbox's groups that runs a boot sector of one endless jump.
private struct MachineScene {
    let path: String
    let child: Child

    init(_ flags: [String] = []) throws {
        let sandbox = try Sandbox.of()
        path = "\(sandbox.folder)/q.sock"
        let disk = "\(sandbox.folder)/disk"
        let sector = [0xeb, 0xfe] + [UInt8](repeating: 0, count: 508) + [0x55, 0xaa]
        Files.write(sector, to: disk)
        let common = ["-M", "pc", "-accel", "tcg", "-m", "32", "-nodefaults", "-no-user-config", "-display", "none"]
        let own = ["-drive", "file=\(disk),format=raw,if=ide", "-qmp", "unix:\(path),server=on,wait=off"]
        let program = Program.find("qemu-system-x86_64") ?? "qemu-system-x86_64"
        child = try sandbox.start(Program(program, common + own + flags), in: .both)
        let path = path
        try #require(eventually(within: .seconds(20)) { access(path, F_OK) == 0 })
        let host = try Host()
        let pid = child.id
        // The boot sector is reached when the machine has used more than the firmware does.
        try #require(
            eventually(within: .seconds(20)) {
                ProcessScanner(host).namedStat(of: pid)?.name.text?.hasPrefix("qemu") == true
            }
        )
    }

    /// Whether the machine uses the CPU as an endless jump does: 5 ticks and more.
    func runs(_ host: Host, within limit: Duration) -> Bool {
        let scanner = ProcessScanner(host)
        func ticks() -> UInt64 { scanner.stat(of: child.id).map { $0.userTicks + $0.systemTicks } ?? 0 }
        let before = ticks()
        return eventually(within: limit) { ticks() > before + 5 }
    }
}

/// A program under QEMU's name that answers on a monitor's socket as it likes, and uses the CPU meanwhile.
private struct LiarScene {
    let path: String
    let child: Child

    init(_ mode: String, name: String = "qemu-system-x86", path: String? = nil) throws {
        let sandbox = try Sandbox.of()
        let path = path ?? "\(sandbox.folder)/q.sock"
        self.path = path
        let script = """
            import json, socket, sys, threading, os, time
            path, mode, name = sys.argv[1:4]
            big_lock, paused = threading.Lock(), False
            def obey(wanted):
                # QEMU does one thing after the other, and a `stop` that flushes disks takes its time.
                global paused
                with big_lock:
                    if wanted == 'stop': time.sleep(1)
                    if wanted == 'stop' or wanted == 'cont' and mode == 'late': paused = wanted == 'stop'
                    if wanted in ('stop', 'cont'): print('did', wanted, flush=True)
                    return not paused
            open('/proc/self/comm', 'w').write(name)
            server = socket.socket(socket.AF_UNIX)
            server.bind(path)
            server.listen(8)
            muted = False
            def talk(peer):
                global muted
                try:
                    if mode == 'silent': peer.recv(1); return
                    if mode == 'garbage': peer.sendall(b'\\xff\\xfe{]\\n'); peer.recv(1); return
                    if mode == 'endless':
                        while True: peer.sendall(b'x' * 65536)
                    peer.sendall(b'{"QMP": {}}\\r\\n')
                    for line in peer.makefile('rb'):
                        wanted = json.loads(line)['execute']
                        if mode == 'mute' and (muted or wanted == 'stop'):
                            muted = True
                            time.sleep(1000)
                        if mode.startswith('late'):
                            running = obey(wanted)
                            peer.sendall(json.dumps({'return': {'running': running}}).encode() + b'\\n')
                        elif mode == 'refuses' and wanted == 'stop': peer.sendall(b'{"error": {}}\\n')
                        else: peer.sendall(b'{"event": "X"}\\n{"return": {"running": true}}\\n')
                except OSError: pass
            def listen():
                while True: threading.Thread(target=talk, args=server.accept()[:1], daemon=True).start()
            threading.Thread(target=listen, daemon=True).start()
            print('ready', flush=True)
            while True: pass
            """
        child = try sandbox.start(
            Program(Program.find("python3") ?? "python3", ["-c", script, path, mode, name]),
            in: .both
        )
        _ = try child.line { $0.hasPrefix("ready") }
    }
}
