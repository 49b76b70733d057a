import Base
import Glibc
import Kernel
import Testing

@testable import Sessions

@Suite("Resolving locators")
struct SessionResolverTests {
    @Test("a cgroup is the session's own when everybody in it descends from the leader")
    func ownCgroup() throws {
        let machine = try RecordedMachine()
        try machine.process(50, parent: 1, start: 10, name: "launcher")
        try machine.process(100, parent: 50, start: 20, v2: "/agents/a7", freezer: "/agents/a7")
        try machine.process(101, parent: 100, start: 30, v2: "/agents/a7/tools", freezer: "/agents/a7")
        try machine.process(102, parent: 101, start: 31, v2: "/agents/a7", freezer: "/agents/a7")
        let session = try resolve("cgroup:/agents/a7", machine)
        #expect(session.leader?.pin == ProcessPin(pid: 100, startTicks: 20))
        #expect(session.members.map(\.pin.pid) == [100, 101, 102])
        #expect(session.members.map(\.lineage) == [.leader, .descendant, .descendant])
        #expect(session.guests.isEmpty && session.failures.isEmpty)
        #expect(session.owner == 1000)
        #expect(session.cgroups.map(\.pin.hierarchy) == ["v2", "v1:freezer"])
        #expect(session.cgroups.allSatisfy { $0.isOwn && $0.pin.path == BytePath("/agents/a7") })
        #expect(session.pin.cgroups == session.cgroups.map(\.pin))
        #expect(session.pin.bootID == "b0071d")
        #expect(session.ownsItsCgroups(in: "v2") && session.ownsItsCgroups(in: "v1:freezer"))
    }

    @Test("RT11 a process with living parents outside is a guest, and the cgroup is then not the session's own")
    func guests() throws {
        let machine = try RecordedMachine()
        try machine.process(50, parent: 1, start: 10)
        try machine.process(100, parent: 50, start: 20, v2: "/a7")
        try machine.process(200, parent: 50, start: 40, name: "bash", v2: "/a7")
        try machine.process(201, parent: 200, start: 41, v2: "/a7")
        let session = try resolve("cgroup:/a7", machine)
        #expect(session.leader?.pin.pid == 100)
        #expect(session.members.map(\.pin.pid) == [100])
        #expect(session.guests.map(\.pin.pid) == [200, 201])
        #expect(session.cgroups.first?.isOwn == false)
        #expect(session.pin.cgroups.map(\.path) == [BytePath("/a7")])
    }

    @Test("an orphan in the cgroup is a member when it is younger than the leader and has its uid")
    func orphans() throws {
        let machine = try RecordedMachine()
        try machine.process(40, parent: 1, start: 5, name: "subreaper")
        try machine.process(50, parent: 40, start: 10)
        try machine.process(100, parent: 50, start: 20, v2: "/a7")
        try machine.process(101, parent: 1, start: 30, name: "double fork", v2: "/a7")
        try machine.process(102, parent: 101, start: 31, v2: "/a7")
        try machine.process(103, parent: 40, start: 32, name: "reaped above", v2: "/a7")
        let session = try resolve("cgroup:/a7", machine)
        #expect(session.guests.isEmpty)
        #expect(session.members.map(\.lineage) == [.leader, .orphan, .descendant, .orphan])

        try machine.process(104, parent: 1, start: 33, uid: 33, v2: "/a7")
        let other = try resolve("cgroup:/a7", machine)
        #expect(other.guests.map(\.pin.pid) == [104])
    }

    @Test("a process in the setsid session of a member belongs, though a subreaper got it")
    func sessionOfMember() throws {
        let machine = try RecordedMachine()
        try machine.process(50, parent: 1, start: 10, name: "subreaper")
        try machine.process(100, parent: 50, start: 20, session: 100, v2: "/a7")
        try machine.process(101, parent: 50, start: 30, session: 100, v2: "/a7")
        try machine.process(102, parent: 50, start: 31, session: 102, v2: "/a7")
        let session = try resolve("cgroup:/a7", machine)
        #expect(session.members.map(\.lineage) == [.leader, .sessionOfMember, .orphan])
    }

    @Test("lineage is followed through a process that left the cgroup")
    func throughStray() throws {
        let machine = try RecordedMachine()
        try machine.process(50, parent: 1, start: 10)
        try machine.process(100, parent: 50, start: 20, v2: "/a7")
        try machine.process(101, parent: 100, start: 30, v2: "/elsewhere")
        try machine.process(102, parent: 101, start: 31, v2: "/a7")
        let session = try resolve("cgroup:/a7", machine)
        #expect(session.members.map(\.pin.pid) == [100, 102])
        #expect(session.guests.isEmpty)
    }

    @Test("everybody in the leader's private pid namespace belongs")
    func privateNamespace() throws {
        let machine = try RecordedMachine()
        try machine.process(50, parent: 1, start: 10, name: "conmon")
        try machine.process(60, parent: 1, start: 11, name: "exec shim")
        try machine.process(100, parent: 50, start: 20, v2: "/c1", pidNamespace: 77)
        try machine.process(200, parent: 60, start: 40, v2: "/c1", pidNamespace: 77)
        let named = try resolve("cgroup:/c1", machine)
        #expect(named.members.map(\.lineage) == [.leader, .pidNamespace])
        #expect(named.cgroups.first?.isOwn == true)
        let around = try resolve("200", machine)
        #expect(around.leader?.pin.pid == 100)
        #expect(around.members.map(\.pin.pid) == [100, 200])
    }

    @Test("a pid is the session of its descendants, with no own cgroup where others stand")
    func plainProcess() throws {
        let machine = try RecordedMachine()
        try machine.process(50, parent: 1, start: 10, name: "bash", v2: "/user/session-3.scope")
        try machine.process(100, parent: 50, start: 20, v2: "/user/session-3.scope")
        try machine.process(101, parent: 100, start: 30, v2: "/user/session-3.scope")
        try machine.process(102, parent: 1, start: 31, v2: "/user/session-3.scope")
        let session = try resolve("pid:100", machine)
        #expect(session.members.map(\.pin.pid) == [100, 101])
        #expect(session.guests.isEmpty)
        #expect(session.pin.cgroups.isEmpty)
        #expect(session.pin.leader == ProcessPin(pid: 100, startTicks: 20))
        #expect(session.cgroups.map(\.isOwn) == [false, false])
    }

    @Test("a pid that leads its cgroup has that cgroup for its own, orphans included")
    func leadingProcess() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 20, v2: "/system/agent.service")
        try machine.process(101, parent: 100, start: 30, v2: "/system/agent.service")
        try machine.process(102, parent: 1, start: 31, v2: "/system/agent.service")
        let session = try resolve("100", machine)
        #expect(session.members.map(\.pin.pid) == [100, 101, 102])
        #expect(session.pin.cgroups.map(\.path) == [BytePath("/system/agent.service")])
        #expect(session.cgroups.first { $0.pin.hierarchy == "v1:freezer" }?.isOwn == false)
    }

    @Test("a member in a cgroup of another hierarchy is told, own or not")
    func otherHierarchies() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 20, v2: "/a7", freezer: "/box/x")
        try machine.process(101, parent: 100, start: 21, v2: "/a7", freezer: "/box")
        try machine.process(102, parent: 100, start: 22, v2: "/a7", freezer: "/shared")
        try machine.process(300, parent: 1, start: 5, freezer: "/shared")
        let session = try resolve("cgroup:/a7", machine)
        let freezers = session.cgroups.filter { $0.pin.hierarchy == "v1:freezer" }
        #expect(freezers.map(\.pin.path) == [BytePath("/box"), BytePath("/shared")])
        #expect(freezers.map(\.isOwn) == [true, false])
        #expect(!session.ownsItsCgroups(in: "v1:freezer") && session.ownsItsCgroups(in: "v2"))
    }

    @Test("a session of hundreds is read whole, and only who is not in the root of the other hierarchy is asked for it")
    func hundreds() throws {
        // Pids that no kernel gives: the test itself is no member.
        let machine = try RecordedMachine()
        try machine.process(5_001_000, parent: 1, start: 20, v2: "/a7")
        for pid in Int32(5_001_001)...5_001_600 {
            try machine.process(pid, parent: 5_001_000, start: 30, v2: "/a7", freezer: pid == 5_001_500 ? "/box" : "/")
        }
        unlink("\(machine.root)/proc/5001300/cgroup")
        try machine.trap("proc/5001300/cgroup")
        let session = try resolve("cgroup:/a7", machine)
        #expect(session.leader?.pin.pid == 5_001_000)
        #expect(session.members.map(\.pin.pid) == Array(5_001_000...5_001_600))
        #expect(session.pin.cgroups.map(\.path) == [BytePath("/a7"), BytePath("/box")])
        #expect(session.failures.isEmpty)
    }

    @Test("RT35 a cgroup named \" (deleted)\" is not the removed one that the kernel names so")
    func deletedNames() throws {
        let machine = try RecordedMachine()
        try machine.process(200, parent: 1, start: 20, v2: "/rt (deleted)")
        try machine.cgroup("/real (deleted)")
        try machine.process(100, parent: 1, start: 21, v2: "/real (deleted)")
        // A process of the removed /rt: the kernel prints the name of the other group.
        try machine.cgroup("/rt (deleted)")
        try machine.process(300, parent: 1, start: 22)
        try machine.write("proc/300/cgroup", "0::/real (deleted)\n")
        let real = try resolve("cgroup:/real (deleted)", machine)
        #expect(real.members.map(\.pin.pid) == [100])
        let removed = try resolve("300", machine)
        #expect(removed.cgroups.isEmpty && removed.pin.cgroups.isEmpty)
        #expect(throws: Failure.self) { try resolve("cgroup:/real", machine) }
    }

    @Test(
        "RT7 resolving opens nothing but stat, status, cgroup and namespace links",
        .timeLimit(.minutes(1)),
        arguments: ["cgroup:/a7", "a7", "pid:100"]
    )
    func opensNothingThatBlocks(locator: String) throws {
        let machine = try RecordedMachine()
        try machine.process(50, parent: 1, start: 10)
        try machine.process(100, parent: 50, start: 20, v2: "/a7")
        try machine.process(101, parent: 1, start: 30, v2: "/a7")
        try machine.process(200, parent: 50, start: 31, v2: "/a7")
        // Opening one of these would wait for ever.
        for name in ["cmdline", "environ", "maps", "fd", "exe", "cwd", "root", "mountinfo", "comm"] {
            for pid in [100, 101, 200] { try machine.trap("proc/\(pid)/\(name)") }
        }
        let session = try resolve(locator, machine)
        #expect(session.leader?.pin.pid == 100 && session.failures.isEmpty)
    }

    @Test("no such pid, a thread, pid 1, a kernel thread, the root cgroup")
    func refusals() throws {
        let machine = try RecordedMachine()
        try machine.process(60, parent: 2, start: 1, name: "kworker", flags: 0x0020_0000)
        try machine.cgroup("/empty")
        expect("pid:4711", machine, .notFound, "no process has that pid")
        expect("pid:1", machine, .refused, "it is the first process of the machine")
        expect("60", machine, .refused, "it is a thread of the kernel")
        expect("cgroup:/", machine, .refused, "the root of a hierarchy holds the whole machine")
        expect("cgroup:/none", machine, .notFound, "there is no such cgroup")
        expect("agent:none", machine, .notFound, "the inventory declares no agent of that name")
        expect("none", machine, .notFound, "no agent of the inventory, no cgroup and no container has that name")
        let empty = try resolve("cgroup:/empty", machine)
        #expect(empty.members.isEmpty && empty.leader == nil && empty.pin.cgroups.count == 1)
    }

    @Test("a bare name acts when one agent or one cgroup has it")
    func bareNames() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 20, v2: "/agents/a7", freezer: "/agents/a7")
        let inventory = Inventory(agents: [AgentRecord(name: "claude", locator: .cgroup(BytePath("/agents/a7")))])
        let byCgroup = try resolve("a7", machine)
        #expect(byCgroup.locator == .cgroup(BytePath("/agents/a7")))
        let byName = try resolve("claude", machine, inventory)
        #expect(byName.locator == .agent("claude") && byName.agent?.name == "claude")
        #expect(byName.pin == byCgroup.pin)
        let same = Inventory(agents: [AgentRecord(name: "a7", locator: .cgroup(BytePath("/agents/a7")))])
        #expect(try resolve("a7", machine, same).locator == .agent("a7"))
        expect(
            "claud",
            machine,
            .notFound,
            "no agent of the inventory, no cgroup and no container has that name",
            inventory: inventory
        )
        let near = #expect(throws: Failure.self) { try resolve("agent:claud", machine, inventory) }
        #expect(near?.hint == "quell freeze agent:claude")
    }

    @Test("RT14 what is proposed for an ambiguous name holds pids and agents' names, never the name of a cgroup")
    func hostileNames() throws {
        for hostile in ["rt$(id)", "`id`", "-rf", "a;b", "x\ny", "q'u\"o"] {
            let machine = try RecordedMachine()
            try machine.process(100, parent: 1, start: 20, v2: "/one/\(hostile)")
            try machine.process(200, parent: 1, start: 21, v2: "/two/\(hostile)")
            try machine.cgroup("/three/\(hostile)")
            let resolver = SessionResolver(host: try machine.host(), root: BytePath(machine.root))
            let failure = #expect(throws: Failure.self) {
                try resolver.resolve(.name(BytePath(hostile)), for: "capture")
            }
            #expect(failure?.code == .ambiguous)
            #expect(failure?.reason == "3 sessions have that name")
            #expect(
                failure?.hint
                    == "quell capture pid:100\nquell capture pid:200\n(1 of them have no process)"
            )
            #expect(try resolver.resolve(.cgroup(BytePath("/one/\(hostile)"))).members.count == 1)
        }
    }

    @Test("a dedicated uid of the inventory keeps an older guest from being taken for the leader")
    func dedicatedUser() throws {
        let machine = try RecordedMachine()
        try machine.process(90, parent: 50, start: 5, uid: 0, name: "older guest", v2: "/a7")
        try machine.process(100, parent: 51, start: 20, uid: 1234, v2: "/a7")
        let agent = AgentRecord(name: "a7", locator: .cgroup(BytePath("/a7")), uid: 1234)
        let session = try resolve("agent:a7", machine, Inventory(agents: [agent]))
        #expect(session.leader?.pin.pid == 100)
        #expect(session.guests.map(\.pin.pid) == [90])
    }

    private func expect(
        _ locator: String,
        _ machine: RecordedMachine,
        _ code: Failure.Code,
        _ reason: String,
        inventory: Inventory = .empty,
        at location: SourceLocation = #_sourceLocation
    ) {
        let failure = #expect(throws: Failure.self, sourceLocation: location) {
            try resolve(locator, machine, inventory)
        }
        #expect(failure?.code == code && failure?.reason == reason, sourceLocation: location)
    }
}

@discardableResult
func resolve(_ locator: String, _ machine: RecordedMachine, _ inventory: Inventory = .empty) throws -> Session {
    try SessionResolver(host: try machine.host(), inventory: inventory, root: BytePath(machine.root))
        .resolve(try Locator(parsing: locator))
}

/// Resolves what must fail, with that code and a reason that says that.
@discardableResult
func expectFailure(
    _ locator: String,
    _ machine: RecordedMachine,
    _ code: Failure.Code,
    containing reason: String,
    at location: SourceLocation = #_sourceLocation
) -> Failure? {
    let failure = #expect(throws: Failure.self, sourceLocation: location) { try resolve(locator, machine) }
    #expect(failure?.code == code, "\(failure as Any)", sourceLocation: location)
    #expect(failure?.reason.contains(reason) == true, "\(failure as Any)", sourceLocation: location)
    return failure
}
