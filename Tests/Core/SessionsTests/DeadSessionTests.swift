import Base
import Glibc
import Kernel
import Testing

@testable import Sessions

@Suite("Sessions that have ended")
struct DeadSessionTests {
    private let id = String(repeating: "ab", count: 32)
    private let layer = String(repeating: "cd", count: 32)

    private func look(
        _ machine: RecordedMachine,
        running: [OverviewProcess] = [],
        failures: [Failure.Code] = []
    ) throws -> [DeadSession] {
        var look = DeadSessionLook(try machine.host(), root: BytePath(machine.root), among: running, gvisor: [])
        let found = look.look()
        #expect(look.failures.map(\.code) == failures, "\(look.failures)")
        return found
    }

    private func process(_ pid: Int32, start: UInt64, v2: String) -> OverviewProcess {
        OverviewProcess(
            pin: ProcessPin(pid: pid, startTicks: start),
            parent: 1,
            name: BytePath("sh"),
            started: Instant(nanoseconds: 0),
            cgroups: [CgroupLine(hierarchy: "v2", path: BytePath(v2))]
        )
    }

    /// podman's storage with one container, and its database.
    private func podman(
        storage: String = "var/lib/containers/storage",
        database: String = "libpod/bolt_state.db",
        ended: [String] = ["2026-11-22T20:00:03.25Z"]
    ) throws -> RecordedMachine {
        let machine = try RecordedMachine()
        try machine.file("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
        try machine.file(
            "\(storage)/overlay-containers/containers.json",
            "[{\"id\":\"\(id)\",\"names\":[\"web\",\"other\"],\"layer\":\"\(layer)\","
                + "\"created\":\"2026-11-22T20:00:00Z\"}]"
        )
        try machine.file("\(storage)/overlay-containers/\(id)/userdata/config.json", "{}")
        try machine.file("\(storage)/overlay/\(layer)/link", "")
        let states = ended.map { text in
            "{\"state\":6,\"runDir\":\"/run/x/\(id)/userdata\",\"startedTime\":\"2026-11-22T20:00:01Z\","
                + "\"finishedTime\":\"\(text)\",\"exitCode\":3,\"exited\":true}\u{1}page"
        }
        try machine.file("\(storage)/\(database)", "junk{\"state\":" + states.joined(separator: "junk"))
        return machine
    }

    @Test(
        "an exited container of podman tells its names, when and how it ended, and where its files are",
        arguments: ["libpod/bolt_state.db", "db.sql"]
    )
    func exited(database: String) throws {
        let machine = try podman(database: database)
        let dead = try #require(try look(machine).first)
        #expect("\(dead.locator)" == "podman:\(id)" && dead.runtime == .podman && dead.uid == 0)
        #expect(dead.names == [BytePath("web"), BytePath("other")] && dead.wasStarted)
        #expect(dead.ended == Instant(rfc3339: "2026-11-22T20:00:03.25Z") && dead.exitStatus == 3)
        #expect(dead.made == Instant(rfc3339: "2026-11-22T20:00:00Z"))
        let storage = BytePath("\(machine.root)/var/lib/containers/storage")
        #expect(dead.files == storage.appending("overlay/\(layer)/diff"))
        for locator in ["podman:web", "podman:other", "podman:\(id)", "podman:abab", "web"] {
            #expect(dead.isMeant(by: try Locator(parsing: locator)), "\(locator)")
        }
        for locator in ["podman:we", "podman:agents/web", "docker:web", "runc:web", "cgroup:/web"] {
            #expect(!dead.isMeant(by: try Locator(parsing: locator)), "\(locator)")
        }
    }

    @Test("of several endings, which old pages of a database hold, the latest counts; nonsense is none")
    func endings() throws {
        let several = ["2026-11-22T20:00:03Z", "2026-11-22T21:00:00Z", "2026-11-22T20:30:00Z"]
        #expect(try look(podman(ended: several)).first?.ended == Instant(rfc3339: "2026-11-22T21:00:00Z"))
        for none in [[], ["0001-01-01T00:00:00Z"], ["yesterday"]] {
            let dead = try #require(try look(podman(ended: none)).first)
            #expect(dead.ended == nil && dead.exitStatus == nil && dead.wasStarted)
        }
    }

    @Test("a container that was only made says so, and files that are gone are not named")
    func made() throws {
        let machine = try podman(ended: [])
        machine.remove(folder: "var/lib/containers/storage/overlay-containers/\(id)")
        machine.remove(folder: "var/lib/containers/storage/overlay/\(layer)")
        let dead = try #require(try look(machine).first)
        #expect(!dead.wasStarted && dead.files == nil)
    }

    @Test("RT8 a container is dead only when the kernel has no process of it, whatever its files say")
    func running() throws {
        let machine = try podman()
        for path in ["/libpod_parent/libpod-\(id)/init", "/machine.slice/libpod-\(id).scope"] {
            #expect(try look(machine, running: [process(100, start: 20, v2: path)]).isEmpty)
        }
        #expect(try look(machine, running: [process(100, start: 20, v2: "/agents/a7")]).count == 1)
        // In no cgroup of its own it is known by the first process of its state.
        try machine.file("run/runc/\(id)/state.json", RecordedMachine.state(id, pid: 100, start: 20, group: "/x"))
        #expect(try look(machine, running: [process(100, start: 20, v2: "/")]).isEmpty)
        #expect(try look(machine, running: [process(100, start: 99, v2: "/")]).map(\.runtime) == [.podman])
    }

    @Test("RT8 a user's storage counts for that user, and only when nobody else can write it")
    func rootless() throws {
        let uid = geteuid() == 0 ? 1234 : geteuid()
        let machine = try podman(storage: "home/agents/.local/share/containers/storage")
        try machine.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nagents:x:\(uid):7::/home/agents:/bin/sh\n")
        let dead = try #require(try look(machine).first)
        #expect("\(dead.locator)" == "podman:agents/\(id)" && dead.uid == uid && dead.exitStatus == 3)
        #expect(dead.isMeant(by: try Locator(parsing: "podman:agents/web")))
        #expect(!dead.isMeant(by: try Locator(parsing: "podman:web")))
        let list = "home/agents/.local/share/containers/storage/overlay-containers/containers.json"
        chmod("\(machine.root)/\(list)", 0o666)
        #expect(try look(machine, failures: [.refused]).isEmpty)
    }

    @Test("RT13 a home over which FUSE is mounted is not opened, and that is told once for all users")
    func slowHomes() throws {
        let machine = try podman()
        try machine.file("etc/passwd", "a:x:1001:7::/home/a:/bin/sh\nb:x:1002:7::/home/b:/bin/sh\n")
        let mount = "41 1 0:50 / \(machine.root)/home rw - autofs auto.home rw\n"
        try machine.file("proc/self/mountinfo", mount)
        #expect(try look(machine, failures: [.refused]).count == 1)
    }

    @Test("a system user whose home is a link is no failure, and one is told who has a runtime folder")
    func systemUsers() throws {
        let uid = geteuid() == 0 ? 1234 : geteuid()
        let machine = try podman()
        try machine.file("etc/passwd", "bin:x:\(uid):2::/bin:/usr/sbin/nologin\n")
        try machine.file("usr/bin/sh", "")
        symlink("usr/bin", "\(machine.root)/bin")
        #expect(try look(machine).count == 1)
        try machine.file("run/user/\(uid)/x", "")
        #expect(try look(machine, failures: [.refused]).count == 1)
    }

    @Test("an exited container of docker tells when and how it ended, and where its layer is")
    func docker() throws {
        let machine = try RecordedMachine()
        try machine.file("etc/passwd", "")
        try machine.file(
            "var/lib/docker/containers/\(id)/config.v2.json",
            """
            {"ID":"\(id)","Name":"/web","Driver":"overlay2","Created":"2026-11-22T19:59:59Z","State":{"Running":false,
            "ExitCode":137,"StartedAt":"2026-11-22T20:00:00Z","FinishedAt":"2026-11-22T20:00:03Z"}}
            """
        )
        try machine.file("var/lib/docker/image/overlay2/layerdb/mounts/\(id)/mount-id", layer)
        try machine.file("var/lib/docker/overlay2/\(layer)/link", "")
        let dead = try #require(try look(machine).first)
        #expect("\(dead.locator)" == "docker:\(id)" && dead.names == [BytePath("web")] && dead.exitStatus == 137)
        #expect(dead.ended == Instant(rfc3339: "2026-11-22T20:00:03Z") && dead.wasStarted)
        #expect(dead.files == BytePath("\(machine.root)/var/lib/docker/overlay2/\(layer)/diff"))
        #expect(try look(machine, running: [process(100, start: 20, v2: "/docker/\(id)")]).isEmpty)
        try machine.write("var/lib/docker/image/overlay2/layerdb/mounts/\(id)/mount-id", "../../../../etc")
        #expect(try look(machine).first?.files == nil)
    }

    @Test("what runc and crun left of an ended container is told; an id that cannot be pasted is not pasted (RT14)")
    func runtimes() throws {
        let machine = try RecordedMachine()
        try machine.file("etc/passwd", "")
        let state = """
            {"id":"ID","init_process_pid":100,"init_process_start":20,"created":"2026-11-22T20:00:00Z",
            "config":{"rootfs":"/srv/ID"},"cgroup_paths":{"":"/sys/fs/cgroup/ID"}}
            """
        for id in ["web", "a_b"] {
            try machine.file("run/runc/\(id)/state.json", state.replacing("ID", with: id))
        }
        let crun = #"{"pid":101,"process-start-time":21,"cgroup-path":"/c1","rootfs":"/srv/c1"}"#
        try machine.file("run/crun/c1/status", crun)
        let found = try look(machine).sorted { "\($0.locator)" < "\($1.locator)" }
        #expect(found.map { "\($0.locator)" } == ["crun:c1", "runc:a_b", "runc:web"])
        #expect(found.map(\.isPrintable) == [true, false, true])
        #expect(found.last?.files == BytePath("/srv/web"))
        #expect(found.last?.made == Instant(rfc3339: "2026-11-22T20:00:00Z"))
        let running = [process(100, start: 20, v2: "/ID")]
        #expect(try look(machine, running: running).map { "\($0.locator)" } == ["crun:c1"])
    }

    @Test("the last that ended comes first, and storage of another form is told")
    func order() throws {
        let machine = try podman()
        try machine.file(
            "var/lib/docker/containers/\(layer)/config.v2.json",
            """
            {"ID":"\(layer)","Name":"/db","Driver":"vfs","State":{"StartedAt":"2026-11-22T20:00:00Z",
            "FinishedAt":"2026-11-22T22:00:00Z"}}
            """
        )
        #expect(try look(machine).map(\.runtime) == [.docker, .podman])
        try machine.write("var/lib/containers/storage/overlay-containers/containers.json", "{}")
        #expect(try look(machine, failures: [.malformed]).map(\.runtime) == [.docker])
    }
}
