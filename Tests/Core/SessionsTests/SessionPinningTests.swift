import Base
import Glibc
import Kernel
import Testing

@testable import Sessions

@Suite("Pinning a session before its freeze")
struct SessionPinningTests {
    /// A machine on which `/a7` of both hierarchies holds `count` processes, 100 the first of them.
    private func crowd(_ count: Int32, _ change: (RecordedMachine) throws -> Void = { _ in }) throws -> RecordedMachine
    {
        let machine = try RecordedMachine()
        try machine.process(50, parent: 1, start: 10, name: "launcher")
        for pid in 100..<100 + count {
            let parent: Int32 = pid == 100 ? 50 : 100
            try machine.process(pid, parent: parent, start: UInt64(pid), v2: "/a7", freezer: "/a7")
        }
        try change(machine)
        return machine
    }

    private func resolve(_ machine: RecordedMachine, pinsOnly: Bool, agent: AgentRecord? = nil) throws -> Session {
        let inventory = agent.map { Inventory(agents: [$0]) } ?? .empty
        var resolver = SessionResolver(host: try machine.host(), inventory: inventory)
        resolver.pinsOnly = pinsOnly
        return try resolver.resolve(agent.map { .agent($0.name) } ?? .cgroup(BytePath("/a7")))
    }

    @Test("it is what the look at everybody pins, with the leader alone", arguments: [1, 2, 7, 8, 30])
    func same(count: Int32) throws {
        let machine = try crowd(count)
        let whole = try resolve(machine, pinsOnly: false)
        let quick = try resolve(machine, pinsOnly: true)
        #expect(quick.pin == whole.pin)
        #expect(quick.pin.leader == ProcessPin(pid: 100, startTicks: 100) && quick.pin.cgroups.count == 2)
        #expect(quick.members.map(\.pin.pid) == [100] && quick.guests.isEmpty)
        #expect(whole.members.count == Int(count))
    }

    @Test("the first is who began first, not who has the lowest pid")
    func pidsBeganAnew() throws {
        let machine = try crowd(12) { machine in
            try machine.process(60, parent: 100, start: 9000, v2: "/a7", freezer: "/a7")
        }
        let quick = try resolve(machine, pinsOnly: true)
        #expect(try quick.pin == resolve(machine, pinsOnly: false).pin)
        #expect(quick.pin.leader?.pid == 100 && quick.members.count == 1)
    }

    @Test("one hierarchy of two, groups below, a parent of the same tick, a thread of the kernel: all are looked at")
    func looksAtAll() throws {
        let changes: [(String, (RecordedMachine) throws -> Void)] = [
            ("v2 only", { try $0.process(130, parent: 100, start: 130, v2: "/a7", freezer: "/") }),
            ("freezer only", { try $0.process(130, parent: 100, start: 130, v2: "/other", freezer: "/a7") }),
            ("below", { try $0.process(130, parent: 100, start: 130, v2: "/a7/below", freezer: "/a7") }),
            // Its parent was not in the list, and stands below the group by now.
            ("aside", { try $0.write("proc/50/cgroup", "4:freezer:/a7/below\n0::/a7/below\n") }),
            ("kernel", { try $0.process(90, parent: 2, start: 1, v2: "/a7", freezer: "/a7", flags: 0x0020_0000) }),
            (
                "one tick",
                {
                    try $0.process(99, parent: 140, start: 100, v2: "/a7", freezer: "/a7")
                    try $0.process(140, parent: 50, start: 100, v2: "/a7", freezer: "/a7")
                }
            ),
        ]
        for (name, change) in changes {
            let machine = try crowd(10, change)
            let whole = try resolve(machine, pinsOnly: false)
            let quick = try resolve(machine, pinsOnly: true)
            #expect(quick.pin == whole.pin, "\(name)")
            #expect(quick.members.count == whole.members.count, "\(name)")
        }
    }

    @Test("a session with a user of its own is looked at whole, because its leader is never another user's")
    func dedicatedUser() throws {
        let machine = try crowd(10) { machine in
            try machine.process(70, parent: 50, start: 20, uid: 0, v2: "/a7", freezer: "/a7")
        }
        let agent = AgentRecord(name: "a7", locator: .cgroup(BytePath("/a7")), uid: 1000)
        let quick = try resolve(machine, pinsOnly: true, agent: agent)
        #expect(try quick.pin == resolve(machine, pinsOnly: false, agent: agent).pin)
        #expect(quick.pin.leader?.pid == 100 && quick.guests.map(\.pin.pid) == [70])
    }
}
