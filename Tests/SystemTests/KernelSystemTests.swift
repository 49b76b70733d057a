import Base
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    @Suite("kernel", .kernel(.root, .cgroup2))
    struct KernelSystemTests {
        @Test("the machine is seen through own mounts")
        func ownMounts() throws {
            let host = try Host()
            #expect(host.procWindow == .own)
            #expect(host.unified?.window == .own)
            #expect(host.notes.isEmpty)
            let selfPin = try ProcessDirectory(getpid(), on: host).stat().pin
            #expect(selfPin.pid == getpid())
            let now = Instant.now()
            let started = host.started(atTicks: selfPin.startTicks)
            #expect(started.earliest < now && now.nanoseconds - started.earliest.nanoseconds < 3_600_000_000_000)
        }

        @Test("parents are the same by pidfd as by stat, and who was made later has a higher number")
        func lineage() throws {
            let scanner = ProcessScanner(try Host())
            var expected: [Int32] = [getpid()]
            while let last = expected.last, let parent = scanner.stat(of: last)?.parent, parent > 0 {
                expected.append(parent)
            }
            #expect(scanner.lineage(of: getpid()) == expected && expected.count > 1)
            #expect(scanner.lineage(of: .max) == [.max])
            #expect(ProcessScanner.number(of: .max) == 0)
            #expect(ProcessScanner.number(of: 1) <= ProcessScanner.number(of: getpid()))
        }

        @Test("a namespace that may not be looked at is told as that, and not as none")
        func closedNamespace() async {
            await #expect(processExitsWith: .success) {
                guard setgid(65_534) == 0, setuid(65_534) == 0 else { exit(70) }
                let first = try ProcessDirectory(1, on: Host())
                do throws(Failure) {
                    _ = try first.namespace(.pid)
                    exit(71)
                } catch {
                    exit(error.code == .notPermitted ? 0 : 72)
                }
            }
        }

        @Test("RT6 a mount over /proc/PID hides nothing from Quell")
        func coveredProcess() async {
            await #expect(processExitsWith: .success) {
                guard enterOwnMountNamespace() == 0,
                    mount("/var/empty-or-tmp", "/proc/1", "tmpfs", 0, nil) == 0
                else { exit(70) }
                guard open("/proc/1/stat", O_RDONLY) < 0 else { exit(71) }
                let host = try Host()
                let stat = try ProcessDirectory(1, on: host).stat()
                exit(stat.pid == 1 && ProcessScanner(host).stat(of: 1) != nil ? 0 : 72)
            }
        }

        @Test("RT6 a filesystem of another type under a cgroup's name is not believed")
        func coveredCgroups() async {
            await #expect(processExitsWith: .success) {
                guard enterOwnMountNamespace() == 0,
                    mount("cgroup2", "/sys/fs/cgroup", "tmpfs", 0, nil) == 0
                else { exit(70) }
                mkdir("/sys/fs/cgroup/unified", 0o755)
                mkdir("/sys/fs/cgroup/unified/planted", 0o755)
                let host = try Host()
                guard let unified = host.unified else { exit(host.notes.isEmpty ? 71 : 0) }
                let planted = try? Cgroup(BytePath("/planted"), in: unified)
                exit(planted == nil ? 0 : 72)
            }
        }

        @Test("RT6 what is mounted over a group hides nothing from Quell", .sandbox)
        func coveredGroup() async throws {
            let sandbox = try Sandbox.of()
            let name = sandbox.name
            let path: String = try #require(sandbox.unified).path
            await #expect(processExitsWith: .success) { [name = name as String, path = path as String] in
                guard enterOwnMountNamespace() == 0, mount("none", path, "tmpfs", 0, nil) == 0 else { exit(70) }
                guard access("\(path)/cgroup.procs", F_OK) != 0 else { exit(71) }
                let host = try Host()
                guard let unified = host.unified, unified.window == .own else { exit(72) }
                let group = try Cgroup(BytePath("/\(name)"), in: unified)
                exit(try group.processes().isEmpty ? 0 : 73)
            }
        }

        @Test("own windows leave the options of the machine's cgroups as they are, cloned or made anew")
        func ownWindowsChangeNoOption() async {
            await #expect(processExitsWith: .success) {
                guard let path = CgroupMounts.unified, enterOwnMountNamespace() == 0 else { exit(70) }
                let before = unifiedOptions()
                let option = before.contains("nsdelegate") ? "" : "nsdelegate"
                guard mount("none", path, nil, UInt(MS_REMOUNT), option) == 0 else { exit(71) }
                let changed = unifiedOptions()
                _ = try Host()
                let cloned = unifiedOptions()
                // Read-only as a mount, so that no clone of it could freeze.
                guard mount("none", path, nil, UInt(MS_REMOUNT | MS_BIND | MS_RDONLY), nil) == 0 else { exit(72) }
                let anew = try Host().unified?.window
                let made = unifiedOptions()
                _ = mount("none", path, nil, UInt(MS_REMOUNT | MS_BIND), nil)
                _ = mount("none", path, nil, UInt(MS_REMOUNT), before.joined(separator: ","))
                guard changed != before, cloned == changed, made == changed, anew == .own else { exit(73) }
                exit(unifiedOptions() == before ? 0 : 74)
            }
        }

        @Test("a frozen group says so and thaws; the wait has an end", .sandbox)
        func freezeAndThaw() throws {
            let (host, group) = try sandboxGroup("sleepers", "5")
            #expect(try group.processes().count == 6)
            let control = try FreezerControl(group)
            #expect(try control.current() == .thawed)
            #expect(try control.wait(for: .frozen, until: Deadline(after: .milliseconds(60))) == false)
            try control.freeze()
            #expect(try control.wait(for: .frozen, until: Deadline(after: .seconds(2))))
            #expect(try control.isRequested() && control.isPopulated())
            try control.thaw()
            #expect(try control.wait(for: .thawed, until: Deadline(after: .seconds(2))))
            #expect(try Cgroup(group.pin, on: host).inode == group.inode)
        }

        @Test("the v1 freezer does the same", .kernel(.v1freezer), .sandbox)
        func versionOne() throws {
            let sandbox = try Sandbox.of()
            try sandbox.testkit("sleepers", "3", in: .freezer)
            let host = try Host()
            let freezer = try #require(host.freezer)
            #expect(freezer.window == .own)
            let group = try Cgroup(BytePath("/\(sandbox.name)"), in: freezer)
            #expect(try group.processes().count == 4)
            let control = try FreezerControl(group)
            try control.freeze()
            #expect(try control.wait(for: .frozen, until: Deadline(after: .seconds(2))))
            #expect(try control.isRequested())
            try control.thaw()
            #expect(try control.wait(for: .thawed, until: Deadline(after: .seconds(2))))
        }

        @Test("what the kernel tells of a pidfd names the members of a leaf group, and of no other", .sandbox)
        func membersByPidFD() throws {
            let (_, group) = try sandboxGroup("sleepers", "3")
            let inside = try group.processes().sorted()
            let asked = inside + [1, getpid()]
            var system = utsname()
            uname(&system)
            let release = withUnsafeBytes(of: system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            let version = release.split(separator: ".").prefix(2).compactMap { Int($0.prefix { $0.isNumber }) }
            // PIDFD_GET_INFO came with Linux 6.13: before it nobody is told to be outside.
            let isTold = version.count == 2 && (version[0], version[1]) >= (6, 13)
            let told = try group.members(among: asked)
            #expect(told?.sorted() == (isTold ? inside : nil), "\(release)")
            // One that is gone, and a group with others below it, have no answer: the list is read instead.
            let child = try group.makeChild(try Cgroup.randomName())
            #expect(try group.members(among: inside) == nil)
            try child.remove()
            #expect(try group.members(among: inside + [Int32.max - 1]) == nil)
        }

        @Test("kill empties a frozen group", .sandbox)
        func kill() throws {
            let (_, group) = try sandboxGroup("sleepers", "20")
            let control = try FreezerControl(group)
            try control.freeze()
            #expect(try control.wait(for: .frozen, until: Deadline(after: .seconds(2))))
            try group.killAll()
            #expect(try control.waitUntilEmpty(until: Deadline(after: .seconds(5))))
        }

        @Test("a group that was removed while one waits for its end is empty", .sandbox)
        func removedIsEmpty() throws {
            let (_, group) = try sandboxGroup("sleepers", "0")
            let child = try group.makeChild(try Cgroup.randomName())
            let control = try FreezerControl(child)
            try child.remove()
            #expect(try control.waitUntilEmpty(until: Deadline(after: .seconds(5))))
        }

        @Test("RT34 a taken name is refused, and another inode is not removed", .sandbox)
        func names() throws {
            let (host, group) = try sandboxGroup("sleepers", "0")
            let name = try Cgroup.randomName()
            let child = try group.makeChild(name)
            let taken = #expect(throws: Failure.self) { _ = try group.makeChild(name) }
            #expect(taken?.code == .refused)
            try child.remove()
            let again = try group.makeChild(name)
            let changed = #expect(throws: Failure.self) { _ = try Cgroup(child.pin, on: host) }
            #expect(changed?.code == .changed || changed?.code == nil)
            #expect(!child.stillExists())
            let gone = #expect(throws: Failure.self) { try child.remove() }
            #expect(gone?.code == .notFound)
            #expect(again.stillExists())
            try again.remove()
        }

        @Test("a group that vanished is told as not found, whatever is asked of it", .sandbox)
        func vanished() throws {
            let (_, group) = try sandboxGroup("sleepers", "0")
            let child = try group.makeChild(try Cgroup.randomName())
            let control = try FreezerControl(child)
            try child.remove()
            for ask in [{ try control.freeze() }, { _ = try control.current() }, { _ = try child.processes() }] {
                let failure = #expect(throws: Failure.self) { try ask() }
                #expect(failure?.code == .notFound)
            }
        }

        @Test("the drop program comes and goes by its id", .sandbox)
        func dropProgram() throws {
            let (_, group) = try sandboxGroup("sleepers", "0")
            let before = try DropProgram.attached(to: group, .egress)
            let ours = try DropProgram()
            let other = try DropProgram()
            try other.attach(to: group, .egress)
            try ours.attach(to: group, .egress)
            #expect(try DropProgram.attached(to: group, .egress) == before + [other.id, ours.id])
            try DropProgram.detach(id: ours.id, from: group, .egress)
            #expect(try DropProgram.attached(to: group, .egress) == before + [other.id])
            let again = #expect(throws: Failure.self) {
                try DropProgram.detach(id: ours.id, from: group, .egress)
            }
            #expect(again?.code == .notFound)
            try DropProgram.detach(id: other.id, from: group, .egress)
        }

        @Test("a pidfd refuses another start time and sees the end", .sandbox)
        func pidfd() throws {
            let child = try Sandbox.of().testkit("sleepers", "0", in: .none)
            let host = try Host()
            let pin = try ProcessDirectory(child.id, on: host).stat().pin
            let wrong = #expect(throws: Failure.self) {
                _ = try PidFD(ProcessPin(pid: pin.pid, startTicks: pin.startTicks + 1), on: host)
            }
            #expect(wrong?.code == .changed)
            let held = try PidFD(pin, on: host)
            #expect(try !held.hasExited())
            try held.send(SIGKILL)
            #expect(try held.waitForExit(until: Deadline(after: .seconds(5))))
        }

        @Test("RT41 hardening does what it says and tells the rest")
        func hardened() async {
            await #expect(processExitsWith: .success) {
                let host = try Host()
                let before = Deadline.monotonicNow()
                let missing = HardenedSelf.harden(on: host)
                let spent = Deadline.monotonicNow() - before
                guard missing.allSatisfy({ $0.hasPrefix("spared by the OOM") }) else { exit(71) }
                guard getpriority(__priority_which_t(0), 0) == -20, spent < 5_000_000 else { exit(72) }
                var limit = rlimit()
                getrlimit(__rlimit_resource_t(4), &limit)
                exit(limit.rlim_max == 0 ? 0 : 73)
            }
        }
    }
}

/// Starts a testkit command in the sandbox and opens its v2 group through Quell's own mount.
func sandboxGroup(_ arguments: String...) throws -> (Host, Cgroup) {
    let sandbox = try Sandbox.of()
    let program = Program(try Sandbox.testkitPath(), arguments)
    let child = try sandbox.start(program, in: .unified)
    _ = try child.line { $0.hasPrefix("ready") }
    let host = try Host()
    let unified = try #require(host.unified)
    return (host, try Cgroup(BytePath("/\(sandbox.name)"), in: unified))
}

/// unshare(2) with CLONE_NEWNS and no propagation back; for child processes only. glibc shows it to GNU sources only.
func enterOwnMountNamespace() -> Int32 {
    guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "unshare") else { return -1 }
    let unshare = unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)
    guard unshare(0x0002_0000) == 0 else { return -1 }
    return mount("none", "/", nil, UInt(MS_REC) | UInt(MS_PRIVATE), nil)
}

/// The options of the unified hierarchy as this process sees it, without `rw`.
private func unifiedOptions() -> [String] {
    let lines = (Files.text("/proc/self/mountinfo") ?? "").split(separator: "\n")
    let line = lines.first { $0.contains(" - cgroup2 ") }
    return (line?.split(separator: " ").last ?? "").split(separator: ",").map(String.init).filter { $0 != "rw" }
}
