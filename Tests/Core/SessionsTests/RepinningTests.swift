import Base
import Kernel
import Sessions
import Testing

@Suite("Finding a session again by its pins")
struct RepinningTests {
    @Test("RT35 a session is found again under the same pin, with the members of now")
    func same() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 20, v2: "/a7", freezer: "/a7")
        let first = try resolve("a7", machine)
        try machine.process(101, parent: 100, start: 30, v2: "/a7", freezer: "/a7")
        let again = try SessionResolver(host: try machine.host()).repin(first.pin)
        #expect(again.pin == first.pin)
        #expect(again.members.map(\.pin.pid) == [100, 101])
        #expect(again.locator == .cgroup(BytePath("/a7")))
    }

    @Test("RT35 a reused pid is another session")
    func reusedPid() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 20)
        let first = try resolve("100", machine)
        try machine.process(100, parent: 1, start: 999)
        expect(first.pin, machine, .changed, "the pid 100 was used again by another process")
    }

    @Test("RT34 a cgroup made anew under the same name is another session")
    func newCgroup() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 20, v2: "/a7")
        let pin = try resolve("cgroup:/a7", machine).pin
        let cgroup = try #require(pin.cgroups.first)
        let other = CgroupPin(hierarchy: cgroup.hierarchy, path: cgroup.path, inode: cgroup.inode + 1)
        let stale = SessionPin(bootID: pin.bootID, cgroups: [other], leader: pin.leader)
        expect(stale, machine, .changed, "a cgroup of it was removed and made anew")
    }

    @Test("another boot is another session")
    func otherBoot() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 20)
        let pin = try resolve("100", machine).pin
        try machine.write("proc/sys/kernel/random/boot_id", "0ther\n")
        let reason = "the machine was started again since: its processes and cgroups are gone"
        expect(pin, machine, .changed, reason)
    }

    @Test("a leader that ended, or whose pid was used again, changes nothing while the own cgroup stands")
    func deadLeader() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 20, v2: "/a7")
        try machine.process(101, parent: 100, start: 30, v2: "/a7")
        let first = try resolve("cgroup:/a7", machine)
        machine.remove(folder: "proc/100")
        try machine.process(101, parent: 1, start: 30, v2: "/a7")
        let again = try SessionResolver(host: try machine.host()).repin(first.pin)
        #expect(again.pin == first.pin)
        #expect(again.members.map(\.pin.pid) == [101])
    }

    @Test("a session of which nothing is left is not found")
    func gone() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 20, v2: "/a7")
        let pin = try resolve("cgroup:/a7", machine).pin
        machine.remove(folder: "cgroup/unified/a7")
        machine.remove(folder: "proc/100")
        let failure = #expect(throws: Failure.self) { try SessionResolver(host: try machine.host()).repin(pin) }
        #expect(failure?.code == .notFound)
    }

    private func expect(
        _ pin: SessionPin,
        _ machine: RecordedMachine,
        _ code: Failure.Code,
        _ reason: String,
        at location: SourceLocation = #_sourceLocation
    ) {
        let failure = #expect(throws: Failure.self, sourceLocation: location) {
            try SessionResolver(host: try machine.host()).repin(pin)
        }
        #expect(failure?.code == code && failure?.reason == reason, sourceLocation: location)
    }
}
