import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    @Suite("what does not freeze, and what others hold", .kernel(.root, .cgroup2))
    struct StuckSystemTests {
        @Test("a fault of the kernel on a userfaultfd page is unconfirmed in time, with state and place", .sandbox)
        func kernelFault() throws {
            let scene = try Scene("kernelfault")
            // Ready is said before the fault: only in it does the kernel not answer.
            let tasks = "/proc/\(scene.child.id)/task"
            #expect(
                eventually(within: .seconds(10)) {
                    (Files.names(in: tasks) ?? []).contains {
                        Files.text("\(tasks)/\($0)/wchan")?.hasPrefix("handle_userfault") == true
                    }
                }
            )
            let limit = Moment(after: .seconds(20))
            let result = try scene.freeze(policy: FreezePolicy(patienceMilliseconds: 500))
            #expect(!limit.isOver)
            #expect(result.word == .unconfirmed, "\(result)")
            #expect(result.stuck.allSatisfy { $0.pid == scene.child.id && !$0.state.isEmpty })
            #expect(!result.stuck.isEmpty)
            // Not sleeping in the trap: running in the kernel, or waiting in it.
            #expect(result.stuck.contains { ["R", "D", "S"].contains($0.state) && !$0.systemCall.isEmpty })
            #expect(try FreezerControl(scene.group).isRequested(), "the request stays")
        }

        @Test(
            "a task that a frozen filesystem holds is unconfirmed, in state D, with its system call",
            .kernel(.program("mkfs.ext4"), .program("fsfreeze"), .program("losetup")),
            .sandbox
        )
        func frozenFilesystem() throws {
            let disk = try FrozenDisk(in: try Sandbox.of().folder)
            defer { disk.remove() }
            let fifo = "\(disk.folder)/told"
            #expect(mkfifo(fifo, 0o600) == 0)
            let scene = try Scene("writewhentold", "\(disk.mount)/file", fifo)
            try disk.freeze()
            Files.write("+", to: fifo, create: false)
            #expect(
                eventually {
                    (try? ProcessDirectory(scene.child.id, on: scene.host).stat().numbers.state) == UInt8(ascii: "D")
                }
            )
            let result = try scene.freeze(policy: FreezePolicy(patienceMilliseconds: 500))
            #expect(result.word == .unconfirmed, "\(result)")
            let stuck = try #require(result.stuck.first)
            #expect(stuck.pid == scene.child.id && stuck.state == "D")
            #expect(!stuck.waitChannel.isEmpty && !stuck.systemCall.isEmpty)
            // As soon as the filesystem runs, the request that stayed takes hold.
            try disk.thaw()
            #expect(eventually { (try? scene.group.isFrozenNow()) == true })
        }

        @Test("a process that somebody traces counts as frozen", .sandbox)
        func traced() throws {
            let scene = try Scene("sleepers", "1")
            let pid = try #require(try scene.group.processes().last)
            let tracer = try scene.sandbox.start(Program(try Sandbox.testkitPath(), ["trace", "\(pid)"]))
            _ = try tracer.line { $0.hasPrefix("ready") }
            #expect(try ProcessDirectory(pid, on: scene.host).stat().numbers.state == UInt8(ascii: "t"))
            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.processes == 2)
        }

        @Test("a group below that was frozen before stays frozen after thaw", .sandbox)
        func childFrozenBefore() throws {
            let scene = try Scene("sleepers", "2")
            let below = scene.unified.subgroup("below")
            let pid = try #require(try scene.group.processes().last)
            Files.write("\(pid)", to: "\(below.path)/cgroup.procs", create: false)
            below.setFrozen(true)
            #expect(eventually { below.isFrozen })
            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.processes == 3)
            #expect(result.groups.first?.requestedBefore == false)
            let thawed = try scene.thaw(result)
            #expect(thawed.isComplete, "\(thawed)")
            #expect(try !scene.group.isFrozenNow())
            #expect(below.isFrozen)
        }

        @Test("a parent that the kernel holds in vfork is frozen when its child stands elsewhere", .sandbox)
        func vforkElsewhere() throws {
            let scene = try Scene("vfork", room: "session")
            let child = scene.ready[1]
            let elsewhere = try #require(scene.sandbox.unified).subgroup("elsewhere")
            Files.write("\(child)", to: "\(elsewhere.path)/cgroup.procs", create: false)
            let result = try scene.freeze()
            #expect(result.word == .confirmed, "\(result)")
            #expect(result.strays.map(\.process.pid) == [child])
            #expect(result.strays.first?.isHeld == true)
            #expect(try scene.thaw(result).isComplete)
        }
    }
}

/// An ext4 filesystem in a file, which can be frozen. Thawed and taken away whatever happened.
private final class FrozenDisk {
    let folder: String
    let mount: String

    struct Problem: Error, CustomStringConvertible { let description: String }

    init(in folder: String) throws {
        self.folder = folder
        mount = "\(folder)/disk"
        guard mkdir(mount, 0o700) == 0 else { throw Problem(description: "no folder to mount on") }
        try FrozenDisk.run("truncate", "-s", "16M", "\(folder)/image")
        try FrozenDisk.run("mkfs.ext4", "-q", "-F", "\(folder)/image")
        try FrozenDisk.run("mount", "-o", "loop", "\(folder)/image", mount)
    }

    func freeze() throws { try FrozenDisk.run("fsfreeze", "-f", mount) }
    func thaw() throws { try FrozenDisk.run("fsfreeze", "-u", mount) }

    func remove() {
        _ = try? FrozenDisk.run("fsfreeze", "-u", mount)
        let isGone = eventually(within: .seconds(10)) {
            for process in (try? Sandbox.of().unified?.processes) ?? [] { Glibc.kill(process, SIGKILL) }
            return umount2(mount, 0) == 0
        }
        if !isGone { _ = umount2(mount, Int32(MNT_DETACH)) }
    }

    private static func run(_ name: String, _ arguments: String...) throws {
        let done = try Program(Program.find(name) ?? "/usr/bin/\(name)", arguments).run()
        guard done.status == 0 else { throw Problem(description: "\(name): \(done.errorText)") }
    }
}
