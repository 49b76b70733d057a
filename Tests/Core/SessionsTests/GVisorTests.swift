import Base
import Glibc
import Kernel
import Sessions
import Testing

@Suite("Sandboxes of gVisor")
struct GVisorTests {
    /// A sandbox of a sentry (200), its stub (210) and a gofer (199), as runsc leaves them on a hybrid machine.
    private func machine(
        state: String? = nil,
        folder: String = "run/runsc",
        group: String = "/gv"
    ) throws -> RecordedMachine {
        let machine = try RecordedMachine()
        try machine.process(199, parent: 1, start: 2000, uid: 0, name: "exe", freezer: group, pidNamespace: 77)
        try machine.process(200, parent: 1, start: 2001, uid: 65534, name: "exe", freezer: group)
        try machine.process(210, parent: 200, start: 2002, session: 200, uid: 65534, name: "exe", freezer: group)
        try machine.process(300, parent: 1, start: 2001, uid: 0, name: "sshd", freezer: group)
        try machine.file("\(folder)/gv_sandbox:gv.state", state ?? GVisorTests.state())
        return machine
    }

    /// The relevant part of what runsc 0.0~20221219 writes.
    private static func state(
        id: String = "gv",
        sentry: Int = 200,
        gofer: Int = 199,
        created: String = "1970-01-01T00:00:19.9Z",
        cgroup: String = "{\"cgroupv1\":{\"name\":\"/gv\",\"parents\":null,\"own\":{\"freezer\":true}}}",
        status: String = "running"
    ) -> String {
        "{\"id\":\"\(id)\",\"bundleDir\":\".\",\"createdAt\":\"\(created)\",\"status\":\"\(status)\","
            + "\"goferPid\":\(gofer),\"sandbox\":{\"id\":\"\(id)\",\"pid\":\(sentry),\"uid\":65534,\"cgroup\":\(cgroup)},"
            + "\"compatCgroup\":{\"cgroupunknown\":null}}"
    }

    @Test(
        "a sandbox is found by its id, and by any of its processes; the gofer is of it although nothing descends from it",
        arguments: ["runsc:gv", "pid:200", "pid:199", "pid:210"]
    )
    func found(locator: String) throws {
        let machine = try machine()
        let session = try resolve(locator, machine)
        #expect(session.runtime == .gvisor && session.sandbox?.containers == ["gv"])
        #expect(session.leader?.pin == ProcessPin(pid: 200, startTicks: 2001))
        #expect(session.members.map(\.pin.pid) == [199, 200, 210])
        #expect(session.members.first?.lineage == .sandbox)
    }

    @Test(
        "states under docker and containerd are read, too",
        arguments: ["docker/runtime-runsc/moby", "containerd/runsc/k8s.io"]
    )
    func folders(name: String) throws {
        let session = try resolve("pid:200", try machine(folder: "run/\(name)"))
        #expect(session.sandbox?.states?.text?.hasSuffix(name) == true)
        #expect(session.members.contains { $0.pin.pid == 199 })
    }

    @Test(
        "RT8 a state that the kernel does not confirm is not believed",
        arguments: [
            (GVisorTests.state(sentry: 300), Failure.Code.refused, "which is sshd and not of runsc"),
            (GVisorTests.state(sentry: 4711), .notFound, "process 4711 of its state has ended"),
            (GVisorTests.state(created: "1970-01-01T00:01:00Z"), .refused, "did not begin when it was made"),
            (GVisorTests.state(created: "1969-12-31T23:00:00Z"), .refused, "did not begin when it was made"),
            (
                GVisorTests.state(cgroup: "{\"cgroupv1\":{\"name\":\"/other\"}}"), .refused,
                "in no cgroup of that container"
            ),
            (GVisorTests.state(status: "stopped"), .notFound, "only its state is left"),
            (GVisorTests.state(id: "other"), .malformed, "it names another container"),
            ("{\"id\":\"gv\"}", .malformed, "createdAt was expected"),
            ("nonsense", .malformed, "not of a form that this version knows"),
        ]
    )
    func planted(state: String, code: Failure.Code, reason: String) throws {
        let machine = try machine(state: state)
        let failure = #expect(throws: Failure.self) { try resolve("runsc:gv", machine) }
        #expect(failure?.code == code, "\(String(describing: failure))")
        #expect(failure?.reason.contains(reason) == true, "\(String(describing: failure))")
    }

    /// docker's container that runsc runs: a config in docker's folder, a state of runsc, and a sentry in a group of that name.
    private func dockered(sandboxOf id: String, named: String) throws -> RecordedMachine {
        let group = "/docker/\(named)"
        let machine = try RecordedMachine()
        try machine.process(199, parent: 1, start: 2000, uid: 0, name: "exe", v2: group, freezer: group)
        try machine.process(200, parent: 1, start: 2001, uid: 65534, name: "exe", v2: group, freezer: group)
        try machine.process(300, parent: 1, start: 2002, uid: 0, name: "sh", v2: group, freezer: group)
        let config = """
            {"State":{"Running":true,"Pid":200,"ExitCode":0,"StartedAt":"1970-01-01T00:00:20Z",
            "FinishedAt":"0001-01-01T00:00:00Z"},"ID":"\(named)","Created":"1970-01-01T00:00:19Z",
            "Name":"/web","Driver":"overlay2","Config":{"Image":"x"}}
            """
        try machine.file("var/lib/docker/containers/\(named)/config.v2.json", config)
        try machine.file("var/lib/docker/containers/\(named)/hostconfig.json", "{\"Runtime\":\"runsc\"}")
        let cgroup = "{\"cgroupv1\":{\"name\":\"\(group)\"}}"
        let path = "run/docker/runtime-runsc/moby/\(id)_sandbox:\(id).state"
        try machine.file(path, GVisorTests.state(id: id, cgroup: cgroup))
        return machine
    }

    @Test("RT8 a container that gVisor runs is a session's when its sandbox holds the session's first process")
    func attributed() throws {
        let id = String(repeating: "ab", count: 32)
        let machine = try dockered(sandboxOf: id, named: id)
        let root = BytePath(machine.root)
        let session = try resolve("pid:200", machine)
        let files = ContainerFiles.of(session.pin, on: try machine.host(), root: root)
        #expect(files?.id == id && files?.runtime == .docker, "\(String(describing: files))")
        // In the same group and of another family: the name of the group attributes nothing.
        let other = try resolve("pid:300", machine)
        let doubt = ContainerFiles.of(other.pin, on: try machine.host(), root: root)
        #expect(doubt?.isAttributed == false, "\(String(describing: doubt))")
        #expect(doubt?.failures.first?.reason.contains("nothing of it is attributed") == true)
        // A sandbox of another id, in a group that is called after this one.
        let borrowed = try dockered(sandboxOf: String(repeating: "cd", count: 32), named: id)
        let borrower = try resolve("pid:200", borrowed)
        let none = ContainerFiles.of(borrower.pin, on: try borrowed.host(), root: BytePath(borrowed.root))
        #expect(none?.isAttributed == false)
    }

    @Test("RT8 a gofer that the kernel does not confirm is no member, and the session stands without it")
    func plantedGofer() throws {
        let machine = try machine(state: GVisorTests.state(gofer: 300))
        let session = try resolve("pid:200", machine)
        #expect(session.members.map(\.pin.pid) == [200, 210])
        #expect(session.sandbox?.gofers == [])
    }

    @Test("RT35 an id that is the beginning of another one's hides it not; the commands mean one each")
    func decoy() throws {
        let machine = try machine(state: GVisorTests.state(id: "abcdef123456"))
        rename(
            "\(machine.root)/run/runsc/gv_sandbox:gv.state",
            "\(machine.root)/run/runsc/abcdef123456_sandbox:abcdef123456.state"
        )
        let id = "abcdef123456" + String(repeating: "0", count: 52)
        try machine.file("run/runsc/\(id)_sandbox:\(id).state", GVisorTests.state(id: id, sentry: 400))
        let failure = #expect(throws: Failure.self) { try resolve("runsc:abcdef123456", machine) }
        #expect(failure?.code == .ambiguous, "\(String(describing: failure))")
        let commands = Set(failure?.hint?.split(separator: "\n") ?? [])
        #expect(commands == ["quell freeze pid:200", "quell freeze runsc:\(id)"])
    }

    @Test("RT21 a state that others can write is not read", .enabled(if: geteuid() == 0))
    func writable() throws {
        let machine = try machine()
        chmod("\(machine.root)/run/runsc", 0o777)
        let failure = #expect(throws: Failure.self) { try resolve("runsc:gv", machine) }
        #expect(failure?.code == .notFound)
    }

    @Test("RT7 of a crowd around what calls itself runsc only the nearest are looked at")
    func crowd() throws {
        let machine = try RecordedMachine()
        for (pid, name) in [(199, "exe"), (200, "exe")] as [(Int32, String)] {
            try machine.process(pid, parent: 1, start: 2000, uid: 0, name: name, v2: "/gv", freezer: "/gv")
            symlink("/usr/bin/runsc", "\(machine.root)/proc/\(pid)/exe")
        }
        for pid in 1000..<1200 as Range<Int32> {
            try machine.process(pid, parent: 1, start: 3000, uid: 0, name: "sh", v2: "/gv", freezer: "/gv")
        }
        let watch = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        defer { close(watch) }
        try #require(inotify_add_watch(watch, "\(machine.root)/proc/1199/stat", UInt32(IN_OPEN)) > 0)
        let found = GVisorLookup(on: try machine.host(), root: BytePath(machine.root)).sandbox(holding: 200)
        let pids = [found?.sentry.pid] + (found?.gofers.map(\.pid) ?? [])
        #expect(Set(pids) == [199, 200], "\(String(describing: found))")
        var events = [UInt8](repeating: 0, count: 4096)
        #expect(read(watch, &events, events.count) < 0, "the far one was looked at")
    }

    @Test("a process that only has the name is an ordinary session")
    func ordinary() throws {
        let machine = try RecordedMachine()
        try machine.process(400, parent: 1, start: 2000, name: "exe")
        let session = try resolve("pid:400", machine)
        #expect(session.runtime == .process && session.sandbox == nil && session.members.count == 1)
    }

    private func resolve(_ locator: String, _ machine: RecordedMachine) throws -> Session {
        try SessionResolver(host: try machine.host(), root: BytePath(machine.root)).resolve(
            try Locator(parsing: locator)
        )
    }
}
