import Base
import Glibc
import Kernel
import Sessions
import Testing

@Suite("Containers of podman")
struct ContainerTests {
    private let id = String(repeating: "ab", count: 32)
    private var group: String { "/libpod_parent/libpod-\(id)" }

    @Test("a container is found by its name, its id, the beginning of its id, and any pid in it")
    func found() throws {
        let machine = try RecordedMachine()
        try machine.container(id, "web")
        for name in ["podman:web", "podman:\(id)", "podman:abab", "podman:\(id.prefix(12))", "web", "\(id.prefix(12))"]
        {
            let session = try resolve(name, machine)
            #expect(session.leader?.pin == ProcessPin(pid: 100, startTicks: 20), "\(name)")
            #expect(session.pin.cgroups.map(\.path) == [BytePath(group), BytePath(group)])
            #expect(session.pin.cgroups.map(\.hierarchy) == ["v2", "v1:freezer"])
            #expect(session.runtime == .podman)
        }
        let byPid = try resolve("pid:100", machine)
        #expect(try Set(byPid.pin.cgroups) == Set(resolve("podman:web", machine).pin.cgroups))
    }

    @Test("groups that a container made below its own, and a scope of systemd's, lead to the container's own group")
    func nested() throws {
        let machine = try RecordedMachine()
        try machine.container(id, "web", place: "\(group)/init")
        #expect(try resolve("podman:web", machine).pin.cgroups.map(\.path) == [BytePath(group), BytePath(group)])
        let other = try RecordedMachine()
        let scope = "/machine.slice/libpod-\(id).scope"
        try other.container(id, "web", group: scope, place: "\(scope)/container")
        #expect(try resolve("podman:web", other).pin.cgroups.map(\.path) == [BytePath(scope), BytePath(scope)])
    }

    @Test("what crun writes is read as well")
    func crun() throws {
        let machine = try RecordedMachine()
        try machine.container(id, "web", state: nil)
        try machine.file(
            "run/crun/\(id)/status",
            "{\"pid\":100,\"process-start-time\":20,\"cgroup-path\":\"\(group)\",\"scope\":\"\",\"rootfs\":\"/r\"}"
        )
        #expect(try resolve("podman:web", machine).leader?.pin.pid == 100)
    }

    @Test(
        "RT8 a state that the kernel does not confirm is not believed",
        arguments: [
            (100, 21, "/libpod_parent/libpod-ID", Failure.Code.notFound, "its first process has ended"),
            (4711, 20, "/libpod_parent/libpod-ID", .notFound, "its first process has ended"),
            (300, 30, "/libpod_parent/libpod-ID", .refused, "in no cgroup of that container"),
            (100, 20, "/", .refused, "in no cgroup of that container"),
            (100, 20, "/elsewhere/libpod-ID", .refused, "in no cgroup of that container"),
            (1, 0, "/libpod_parent/libpod-ID", .malformed, "init_process_pid and init_process_start were expected"),
        ]
    )
    func planted(pid: Int, start: Int, path: String, code: Failure.Code, reason: String) throws {
        let machine = try RecordedMachine()
        try machine.process(300, parent: 1, start: 30, uid: 0, name: "sshd")
        let path = path.replacing("ID", with: id)
        try machine.container(id, "web", state: RecordedMachine.state(id, pid: pid, start: start, group: path))
        expectFailure("podman:web", machine, code, containing: reason)
    }

    @Test("RT5 a container whose first process has ended only its first thread runs, and stands where the others do")
    func firstThreadEnded() throws {
        let machine = try RecordedMachine()
        try machine.container(id, "web")
        let numbers = "1 100 100 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 20 0 0"
        for file in ["proc/100/stat", "proc/100/task/100/stat"] { try machine.write(file, "100 (node) Z \(numbers)\n") }
        try machine.write("proc/100/cgroup", "4:freezer:/\n0::/\n")
        try machine.file("proc/100/task/101/stat", "101 (node) S \(numbers)\n")
        try machine.file("proc/100/task/101/cgroup", "4:freezer:\(group)\n0::\(group)\n")
        #expect(try resolve("podman:web", machine).leader?.pin.pid == 100)
    }

    @Test("RT8 a user's state file speaks for that user's processes only")
    func rootless() throws {
        let uid = geteuid() == 0 ? 1234 : geteuid()
        let machine = try RecordedMachine()
        try machine.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nagents:x:\(uid):7::/home/agents:/bin/sh\n")
        let home = "home/agents/.local/share/containers/storage"
        try machine.container(id, "web", storage: home, states: "run/user/\(uid)", uid: uid)
        #expect(try resolve("podman:agents/web", machine).leader?.pin.pid == 100)
        expectFailure("podman:web", machine, .notFound, containing: "root has no containers of podman")
        expectFailure("podman:nobody-here/web", machine, .notFound, containing: "no such user with a home")

        // Inside a user namespace the first process may run as another uid: then conmon, its parent, has to be the user's.
        try machine.process(90, parent: 1, start: 15, uid: uid, name: "conmon")
        try machine.process(100, parent: 90, start: 20, uid: 100_999, v2: group, freezer: group)
        try machine.file("etc/subuid", "agents:100000:65536\n")
        #expect(try resolve("podman:agents/web", machine).leader?.pin.pid == 100)
        try machine.process(90, parent: 1, start: 15, uid: 4242, name: "conmon")
        expectFailure("podman:agents/web", machine, .refused, containing: "which is not of user agents")
    }

    @Test("RT13 a home over which FUSE is mounted is not opened")
    func fuse() throws {
        let uid = geteuid() == 0 ? 1234 : geteuid()
        let machine = try RecordedMachine()
        try machine.file("etc/passwd", "agents:x:\(uid):7::/home/agents:/bin/sh\n")
        let mount = "41 1 0:50 / \(machine.root)/home/agents/.local rw - fuse.sshfs host: rw"
        try machine.file("proc/self/mountinfo", mount + "\n")
        expectFailure("podman:agents/web", machine, .refused, containing: "fuse.sshfs is mounted there")
    }

    @Test("RT8 state that others can write is refused")
    func writable() throws {
        let machine = try RecordedMachine()
        try machine.container(id, "web")
        chmod("\(machine.root)/run/runc/\(id)/state.json", 0o666)
        expectFailure("podman:web", machine, .refused, containing: "others than its owner can write it")
    }

    @Test("an exited, a half made, an unknown and an absent container each get a sentence")
    func notRunning() throws {
        let machine = try RecordedMachine()
        expectFailure("podman:web", machine, .notFound, containing: "root has no containers of podman on this machine")
        try machine.container(id, "web", state: nil, runs: false)
        expectFailure("podman:web", machine, .notFound, containing: "it has exited: nothing of it runs")
        expectFailure("podman:db", machine, .notFound, containing: "root has no container of that name or id")
        expectFailure("web", machine, .notFound, containing: "it has exited: nothing of it runs")
        machine.remove(folder: "var/lib/containers/storage/overlay-containers/\(id)")
        expectFailure("podman:web", machine, .notFound, containing: "it was made and never started")
    }

    @Test("the next command for an exited container shows it by its id, not by the name that somebody chose")
    func next() throws {
        let machine = try RecordedMachine()
        try machine.container(id, "web", state: nil, runs: false)
        let failure = expectFailure("podman:web", machine, .notFound, containing: "it has exited")
        #expect(failure?.hint == "quell sessions show podman:\(id)")
    }

    @Test("RT8 a container whose state was removed under it is not called dead: its cgroup has processes")
    func stateRemoved() throws {
        let machine = try RecordedMachine()
        try machine.container(id, "web", place: "\(group)/init")
        try machine.process(101, parent: 100, start: 21, v2: "\(group)/init", freezer: "\(group)/init")
        machine.remove(folder: "run/runc/\(id)")
        let failure = expectFailure("podman:web", machine, .refused, containing: "stands in its cgroup")
        #expect(failure?.hint == "quell freeze pid:100")
    }

    @Test("RT13 the sockets of podman and docker are not connected to, whoever listens there")
    func sockets() throws {
        let machine = try RecordedMachine()
        try machine.container(id, "web")
        let listeners = try ["run/podman/podman.sock", "run/docker.sock"].map { path in
            try machine.file("\(path).folder", "")
            return try Listener("\(machine.root)/\(path)")
        }
        #expect(try resolve("podman:web", machine).leader?.pin.pid == 100)
        expectFailure("docker:web", machine, .notFound, containing: "no containers of docker")
        #expect(listeners.allSatisfy { !$0.hasCaller })
        // A listener that would not notice a caller proves nothing.
        let caller = try #require(listeners.first?.call())
        defer { close(caller) }
        #expect(listeners.first?.hasCaller == true)
    }

    @Test("two ids with the same beginning are ambiguous, and the commands to choose from hold whole ids")
    func ambiguous() throws {
        let machine = try RecordedMachine()
        let other = "abab" + String(repeating: "cd", count: 30)
        try machine.file(
            "var/lib/containers/storage/overlay-containers/containers.json",
            "[{\"id\":\"\(id)\",\"names\":[\"a\"]},{\"id\":\"\(other)\",\"names\":[\"b'$(id)\\n\"]}]"
        )
        let failure = expectFailure("podman:abab", machine, .ambiguous, containing: "2 containers have that name or id")
        #expect(failure?.hint == "quell freeze podman:\(id)\nquell freeze podman:\(other)")
    }

    @Test(
        "RT35 the name of another container hides no id: both are told, and a whole id is never a name",
        arguments: ["12 digits", "4 digits", "whole id"]
    )
    func decoy(length: String) throws {
        let machine = try RecordedMachine()
        let decoy = String(repeating: "cd", count: 32)
        let name = ["12 digits": String(id.prefix(12)), "4 digits": "abab", "whole id": id][length] ?? ""
        try machine.container(id, "web")
        try machine.process(200, parent: 1, start: 30, v2: "/libpod_parent/libpod-\(decoy)")
        let state = RecordedMachine.state(decoy, pid: 200, start: 30, group: "/libpod_parent/libpod-\(decoy)")
        try machine.file("run/runc/\(decoy)/state.json", state)
        try machine.file(
            "var/lib/containers/storage/overlay-containers/containers.json",
            "[{\"id\":\"\(decoy)\",\"names\":[\"\(name)\"]},{\"id\":\"\(id)\",\"names\":[\"web\"]}]"
        )
        for locator in ["podman:\(name)", name] {
            guard name != id else {
                #expect(try resolve(locator, machine).leader?.pin.pid == 100, "\(locator)")
                continue
            }
            let said = "by name: \(decoy); by the beginning of the id: \(id)"
            let failure = expectFailure(locator, machine, .ambiguous, containing: said)
            #expect(failure?.hint == "quell freeze podman:\(decoy)\nquell freeze podman:\(id)")
        }
        // Beside a cgroup of that name all of them are there to choose from.
        try machine.process(300, parent: 1, start: 40, v2: "/agents/\(name)")
        let choice = expectFailure(name, machine, .ambiguous, containing: "sessions have that name")
        #expect(choice?.hint?.contains("quell freeze podman:\(id)") == true)
        #expect(choice?.hint?.contains("quell freeze podman:\(decoy)") == (name != id))
    }

    @Test(
        "storage and state of another form are said to be so, with the way around",
        arguments: ["{}", "[1]", "[{\"id\":\"short\"}]", "[{\"id\":1}]", "[", "nul", "[{\"id\":\"x\",\"id\":\"y\"}]"]
    )
    func unknownForm(text: String) throws {
        let machine = try RecordedMachine()
        try machine.container(id, "web", state: text)
        let form = "not of a form that this version knows"
        let state = expectFailure("podman:web", machine, .malformed, containing: form)
        #expect(state?.hint?.contains("quell freeze pid:N") == true)
        try machine.file("var/lib/containers/storage/overlay-containers/containers.json", text)
        expectFailure("podman:web", machine, .malformed, containing: "not of a form that this version knows")
        // Another name that is found all the same is not held up by it.
        try machine.process(200, parent: 1, start: 40, v2: "/agents/a7")
        #expect(try resolve("a7", machine).leader?.pin.pid == 200)
    }
}

/// A unix socket that listens and never answers.
private final class Listener {
    private let descriptor: Int32
    private let path: String

    init(_ path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        let bound = Listener.with(path) { bind(descriptor, $0, $1) }
        guard descriptor >= 0, bound == 0, listen(descriptor, 8) == 0 else {
            throw RecordedMachine.Problem(text: path)
        }
    }

    deinit { close(descriptor) }

    /// Connects to it; `nil` when that fails.
    func call() -> Int32? {
        let caller = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard Listener.with(path, { connect(caller, $0, $1) }) == 0 else {
            close(caller)
            return nil
        }
        return caller
    }

    /// Whether somebody waits to be let in; that one is let in and sent away.
    var hasCaller: Bool {
        let caller = accept(descriptor, nil, nil)
        if caller >= 0 { close(caller) }
        return caller >= 0
    }

    private static func with(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}

extension RecordedMachine {
    /// Records a container with its first process 100 as podman 4.3.1 and runc 1.1.5 leave it.
    func container(
        _ id: String,
        _ name: String,
        group: String? = nil,
        place: String? = nil,
        storage: String = "var/lib/containers/storage",
        states: String = "run",
        uid: UInt32 = 0
    ) throws {
        let group = group ?? "/libpod_parent/libpod-\(id)"
        let state = RecordedMachine.state(id, pid: 100, start: 20, group: place ?? group)
        try container(id, name, state: state, group: group, place: place, storage: storage, states: states, uid: uid)
    }

    /// The same with that state file, or none.
    func container(
        _ id: String,
        _ name: String,
        state: String?,
        group: String? = nil,
        place: String? = nil,
        storage: String = "var/lib/containers/storage",
        states: String = "run",
        uid: UInt32 = 0,
        runs: Bool = true
    ) throws {
        let group = group ?? "/libpod_parent/libpod-\(id)"
        let place = place ?? group
        try cgroup(group)
        try cgroup(group, hierarchy: "freezer")
        if runs { try process(100, parent: 1, start: 20, uid: uid, name: "sleep", v2: place, freezer: place) }
        try file("\(storage)/overlay-containers/containers.json", "[{\"id\":\"\(id)\",\"names\":[\"\(name)\"]}]")
        try file("\(storage)/overlay-containers/\(id)/userdata/config.json", "{\"ociVersion\":\"1.0.2-dev\"}")
        if let state { try file("\(states)/runc/\(id)/state.json", state) }
    }

    /// runc's state.json, in its parts that count.
    static func state(_ id: String, pid: Int, start: Int, group: String) -> String {
        "{\"id\":\"\(id)\",\"init_process_pid\":\(pid),\"init_process_start\":\(start),\"config\":{},\"cgroup_paths\":{"
            + "\"\":\"/sys/fs/cgroup/unified\(group)\",\"freezer\":\"/sys/fs/cgroup/freezer\(group)\"}}"
    }
}
