import Base
import Glibc
import Kernel
import Testing

@testable import Sessions

@Suite("Containers of docker")
struct DockerTests {
    private let id = String(repeating: "ab", count: 32)

    /// A machine with a container whose first process is 100, as docker 20.10 and runc 1.1.5 leave it.
    private func machine(
        place: String? = nil,
        name: String = "/web",
        running: Bool = true,
        state: String? = nil,
        runtime: String = "runc",
        ended: String = "0001-01-01T00:00:00Z"
    ) throws -> RecordedMachine {
        let machine = try RecordedMachine()
        let place = place ?? "/docker/\(id)"
        try machine.process(90, parent: 1, start: 10, uid: 0, name: "containerd-shim")
        if running {
            try machine.process(100, parent: 90, start: 20, uid: 0, name: "sh", v2: place, freezer: place)
            try machine.process(101, parent: 100, start: 21, uid: 0, v2: "\(place)/deep", freezer: place)
        }
        try machine.file("var/lib/docker/containers/\(id)/config.v2.json", config(name, running, ended))
        let policy = "{\"RestartPolicy\":{\"Name\":\"no\",\"MaximumRetryCount\":0},\"Runtime\":\"\(runtime)\"}"
        try machine.file("var/lib/docker/containers/\(id)/hostconfig.json", policy)
        let text = state ?? RecordedMachine.state(id, pid: 100, start: 20, group: place)
        if running { try machine.file("run/docker/runtime-runc/moby/\(id)/state.json", text) }
        return machine
    }

    private func config(_ name: String, _ running: Bool, _ ended: String) -> String {
        """
        {"State":{"Running":\(running),"Pid":\(running ? 100 : 0),"ExitCode":\(running ? 0 : 3),
        "StartedAt":"2026-11-22T20:00:00.5Z","FinishedAt":"\(ended)"},"ID":"\(id)","Created":"2026-11-22T19:59:59Z",
        "Name":"\(name)","Driver":"overlay2","Config":{"Image":"x"}}
        """
    }

    @Test(
        "a container is found by its name, its id, the beginning of its id and a bare name, wherever docker puts it",
        arguments: ["/docker/ID", "/system.slice/docker-ID.scope", "/agents.slice/ID"]
    )
    func found(place: String) throws {
        let place = place.replacing("ID", with: id)
        let machine = try machine(place: place)
        for name in ["docker:web", "docker:\(id)", "docker:abab", "web"] {
            let session = try resolve(name, machine)
            #expect(session.leader?.pin == ProcessPin(pid: 100, startTicks: 20), "\(name)")
            #expect(session.pin.cgroups.map(\.path) == [BytePath(place), BytePath(place)])
            #expect(session.members.map(\.pin.pid) == [100, 101] && session.runtime == .docker)
        }
        var containers = try OCIContainers(host: machine.host(), root: BytePath(machine.root))
        let known = containers.read()
        #expect(known.values.map(\.kind) == [.docker] && known.keys.map(\.pid) == [100])
    }

    @Test("a container whose files cannot be read hides no other, and is told with the rest")
    func unreadable() throws {
        let machine = try machine()
        let other = String(repeating: "cd", count: 32)
        try machine.file("var/lib/docker/containers/\(other)/config.v2.json", "no JSON")
        var containers = try OCIContainers(host: machine.host(), root: BytePath(machine.root))
        #expect(containers.read().keys.map(\.pid) == [100] && containers.failures.map(\.code) == [.malformed])
        let root = BytePath(machine.root)
        let files = try #require(ContainerFiles.of(try Locator(parsing: "docker:\(other)"), root: root))
        #expect(!files.isAttributed && files.failures.map(\.code) == [.malformed])
        let absent = String(repeating: "ef", count: 32)
        #expect(ContainerFiles.of(try Locator(parsing: "docker:\(absent)"), root: root) == nil)
        chmod("\(machine.root)/var/lib/docker/containers", 0o777)
        containers = try OCIContainers(host: machine.host(), root: BytePath(machine.root))
        #expect(containers.read().isEmpty && containers.failures.map(\.code) == [.refused])
        // A session in a cgroup that is called as a container: nobody can say whether it is one.
        let session = try resolve("cgroup:/docker/\(id)", machine)
        let doubt = ContainerFiles.of(session.pin, on: try machine.host(), root: root)
        #expect(doubt?.isAttributed == false && doubt?.failures.map(\.code) == [.refused])
    }

    @Test("folders that the daemon was told are looked into instead")
    func folders() throws {
        let machine = try machine()
        try machine.file("etc/docker/daemon.json", "{\"data-root\":\"/srv/docker\",\"exec-root\":\"/run/other\"}")
        expectFailure("docker:web", machine, .notFound, containing: "there are no containers of docker")
        try machine.file("srv/x", "")
        rename("\(machine.root)/var/lib/docker", "\(machine.root)/srv/docker")
        expectFailure("docker:web", machine, .refused, containing: "stands in its cgroup")
        rename("\(machine.root)/run/docker", "\(machine.root)/run/other")
        #expect(try resolve("docker:web", machine).leader?.pin.pid == 100)
        try machine.file("etc/docker/daemon.json", "{\"data-root\":\"/srv/../etc\"}")
        expectFailure("docker:web", machine, .notFound, containing: "there are no containers of docker")
    }

    @Test(
        "RT8 a state that the kernel does not confirm is not believed",
        arguments: [
            (100, 21, "/docker/ID", Failure.Code.notFound, "its first process has ended"),
            (4711, 20, "/docker/ID", .notFound, "its first process has ended"),
            (300, 30, "/docker/ID", .refused, "in no cgroup of that container"),
            (100, 20, "/elsewhere/ID", .refused, "in no cgroup of that container"),
            (1, 0, "/docker/ID", .malformed, "init_process_pid and init_process_start were expected"),
        ]
    )
    func planted(pid: Int, start: Int, path: String, code: Failure.Code, reason: String) throws {
        let group = path.replacing("ID", with: id)
        let machine = try machine(state: RecordedMachine.state(id, pid: pid, start: start, group: group))
        try machine.process(300, parent: 1, start: 30, uid: 0, name: "sshd")
        expectFailure("docker:web", machine, code, containing: reason)
    }

    @Test("RT8 files that others can write are refused, and a bare name of another session is not held up by them")
    func writable() throws {
        let machine = try machine()
        chmod("\(machine.root)/var/lib/docker/containers/\(id)", 0o777)
        expectFailure("docker:web", machine, .refused, containing: "others than its owner can write it")
        try machine.process(200, parent: 1, start: 40, v2: "/agents/a7")
        #expect(try resolve("a7", machine).leader?.pin.pid == 200)
        let state = try self.machine()
        chmod("\(state.root)/run/docker/runtime-runc/moby/\(id)/state.json", 0o666)
        expectFailure("docker:web", state, .refused, containing: "others than its owner can write it")
    }

    @Test("an exited, a half removed, an unknown and an absent container each get a sentence and a way on")
    func absent() throws {
        let none = try RecordedMachine()
        expectFailure("docker:web", none, .notFound, containing: "there are no containers of docker on this machine")
        let exited = try machine(running: false, ended: "2026-11-22T20:00:03Z")
        let failure = expectFailure("docker:web", exited, .notFound, containing: "it has exited: nothing of it runs")
        #expect(failure?.hint == "quell sessions show docker:\(id)")
        expectFailure("docker:db", exited, .notFound, containing: "docker has no container of that name or id")
        expectFailure("docker:\(id)", exited, .notFound, containing: "it has exited")
        unlink("\(exited.root)/var/lib/docker/containers/\(id)/config.v2.json")
        expectFailure("docker:web", exited, .notFound, containing: "docker has no container of that name or id")
    }

    @Test("a name that root's podman has as well is ambiguous, and the commands hold ids")
    func ambiguous() throws {
        let machine = try machine()
        let other = String(repeating: "cd", count: 32)
        let list = "[{\"id\":\"\(other)\",\"names\":[\"web\"]}]"
        try machine.file("var/lib/containers/storage/overlay-containers/containers.json", list)
        let failure = expectFailure("web", machine, .ambiguous, containing: "2 sessions have that name")
        #expect(failure?.hint == "quell freeze docker:\(id)\n(1 of them have no process)")
    }

    @Test(
        "files of another version are said to be so, with the way around",
        arguments: [
            "", "[]", "{}", "nul", #"{"ID":"other"}"#, #"{"ID":1}"#, #"{"ID":"x","ID":"y"}"#,
            #"{"id":"lower"}"#,
        ]
    )
    func otherVersion(text: String) throws {
        let machine = try machine()
        try machine.write("var/lib/docker/containers/\(id)/config.v2.json", text)
        let form = "not of a form that this version knows"
        let failure = expectFailure("docker:web", machine, .malformed, containing: form)
        #expect(failure?.hint?.contains("quell freeze pid:N") == true)
    }

    @Test(
        "a name or a runtime that is no name leads to no path, and is told escaped",
        arguments: ["../../etc", "$(id)", "a\\nb"]
    )
    func hostile(text: String) throws {
        let machine = try machine(name: "/\(text)", runtime: text)
        // The id is docker's own: it is found by that, and the runtime's name is no part of a path.
        #expect(try resolve("docker:\(id)", machine).leader?.pin.pid == 100)
        let container = try DockerStore(root: BytePath(machine.root)).container(id)
        #expect(container?.name == text.replacing("\\n", with: "\n"))
    }

    @Test("restart policy and health check are read for those who hold what would start it again")
    func policy() throws {
        let machine = try machine()
        #expect(try DockerStore(root: BytePath(machine.root)).container(id)?.restart == nil)
        try machine.write(
            "var/lib/docker/containers/\(id)/hostconfig.json",
            "{\"RestartPolicy\":{\"Name\":\"always\"},\"Runtime\":\"runc\"}"
        )
        let container = try #require(try DockerStore(root: BytePath(machine.root)).container(id))
        #expect(container.restart == "always" && !container.hasHealthCheck && container.isRunning)
    }
}
