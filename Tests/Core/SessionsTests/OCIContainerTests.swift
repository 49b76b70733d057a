import Base
import Glibc
import Kernel
import Testing

@testable import Sessions

@Suite("Containers of runc, crun and lxc")
struct OCIContainerTests {
    /// A machine with a container of runc whose first process is 100.
    private func machine(_ id: String = "web-1", group: String = "/agents/web-1") throws -> RecordedMachine {
        let machine = try RecordedMachine()
        try machine.process(90, parent: 1, start: 10, name: "agentd")
        try machine.process(100, parent: 90, start: 20, uid: 0, name: "sh", v2: group, freezer: group)
        try machine.process(101, parent: 100, start: 21, uid: 0, name: "node", v2: group, freezer: group)
        try machine.file("run/runc/\(id)/state.json", RecordedMachine.state(id, pid: 100, start: 20, group: group))
        return machine
    }

    @Test("a container of runc is found by its id and by a bare name, with its groups in every hierarchy")
    func found() throws {
        let machine = try machine()
        for locator in ["runc:web-1", "cgroup:/agents/web-1", "web-1"] {
            let session = try resolve(locator, machine)
            #expect(session.pin.cgroups.map(\.path) == [BytePath("/agents/web-1"), BytePath("/agents/web-1")])
            #expect(session.members.map(\.pin.pid) == [100, 101] && session.leader?.pin.pid == 100)
        }
        #expect(try resolve("runc:web-1", machine).runtime == .runc)
        // The id need not be the cgroup's name.
        let other = try self.machine("a+b,c._", group: "/x/y")
        for locator in ["runc:a+b,c._", "a+b,c._"] {
            #expect(try resolve(locator, other).pin.cgroups.map(\.path) == [BytePath("/x/y"), BytePath("/x/y")])
        }
    }

    @Test("groups that a runtime inside made below are of the container")
    func nested() throws {
        let machine = try machine(group: "/web")
        try machine.process(100, parent: 90, start: 20, uid: 0, name: "systemd", v2: "/web/init.scope", freezer: "/web")
        #expect(try resolve("runc:web-1", machine).pin.cgroups.map(\.path) == [BytePath("/web"), BytePath("/web")])
    }

    @Test("a container of crun is found by the state that its source documents")
    func crun() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 20, v2: "/rt/c1")
        let state = #"{"pid":100,"process-start-time":20,"cgroup-path":"/rt/c1","scope":"","owner":"root"}"#
        try machine.file("run/crun/c1/status", state)
        let session = try resolve("crun:c1", machine)
        #expect(session.runtime == .crun && session.pin.cgroups.map(\.path) == [BytePath("/rt/c1")])
        expectFailure("runc:c1", machine, .notFound, containing: "root has no containers of runc on this machine")
    }

    @Test(
        "RT8 state that the kernel does not confirm is not believed",
        arguments: [
            (100, 21, "/agents/web-1", Failure.Code.notFound, "its first process has ended: nothing of it runs"),
            (4711, 20, "/agents/web-1", .notFound, "its first process has ended: nothing of it runs"),
            (300, 30, "/agents/web-1", .refused, "in no cgroup of that container"),
            (100, 20, "/elsewhere", .refused, "in no cgroup of that container"),
            (1, 0, "/", .malformed, "init_process_pid and init_process_start were expected"),
            (-1, 20, "/agents/web-1", .malformed, "init_process_pid and init_process_start were expected"),
        ]
    )
    func planted(pid: Int, start: Int, group: String, code: Failure.Code, reason: String) throws {
        let machine = try machine()
        try machine.process(300, parent: 1, start: 30, uid: 0, name: "sshd")
        let state = RecordedMachine.state("web-1", pid: pid, start: start, group: group)
        try machine.write("run/runc/web-1/state.json", state)
        expectFailure("runc:web-1", machine, code, containing: reason)
    }

    @Test("RT8 state of a foreign owner, that others can write, or behind a link is refused")
    func foreign() throws {
        let writable = try machine()
        chmod("\(writable.root)/run/runc/web-1", 0o777)
        expectFailure("runc:web-1", writable, .refused, containing: "others than its owner can write it")
        let linked = try machine()
        rename("\(linked.root)/run/runc/web-1", "\(linked.root)/run/elsewhere")
        symlink("../elsewhere", "\(linked.root)/run/runc/web-1")
        expectFailure("runc:web-1", linked, .refused, containing: "it is a symbolic link")
        guard geteuid() == 0 else { return }
        let owned = try machine()
        chown("\(owned.root)/run/runc/web-1/state.json", 1234, 1234)
        let refused = expectFailure("runc:web-1", owned, .refused, containing: "its owner, uid 1234, is not trusted")
        #expect(refused?.hint != nil)
    }

    @Test("RT8 what a user's runc wrote speaks for that user's processes only")
    func rootless() throws {
        let uid = geteuid() == 0 ? 1234 : geteuid()
        let machine = try machine()
        try machine.file("etc/passwd", "agents:x:\(uid):7::/home/agents:/bin/sh\n")
        let state = RecordedMachine.state("own", pid: 100, start: 20, group: "/agents/web-1")
        try machine.file("run/user/\(uid)/runc/own/state.json", state)
        for path in ["run/user/\(uid)", "run/user/\(uid)/runc", "run/user/\(uid)/runc/own"] {
            chown("\(machine.root)/\(path)", uid, uid)
        }
        expectFailure("runc:agents/own", machine, .refused, containing: "which is not of user agents")
        let group = "/agents/web-1"
        try machine.process(100, parent: 90, start: 20, uid: uid, v2: group, freezer: group)
        try machine.process(101, parent: 100, start: 21, uid: uid, v2: group, freezer: group)
        #expect(try resolve("runc:agents/own", machine).leader?.pin.pid == 100)
        expectFailure("runc:nobody-here/own", machine, .notFound, containing: "no such user with a home")
        expectFailure("runc:own", machine, .notFound, containing: "runc has no container of that id for root")
    }

    @Test(
        "RT8 a user's state pins no group in which others stand, unless the group was handed to that user",
        .enabled(if: geteuid() == 0)
    )
    func sharedGroup() throws {
        let uid: UInt32 = 1234
        let machine = try machine()
        try machine.file("etc/passwd", "agents:x:\(uid):7::/home/agents:/bin/sh\n")
        let state = RecordedMachine.state("own", pid: 100, start: 20, group: "/agents/web-1")
        try machine.file("run/user/\(uid)/runc/own/state.json", state)
        try machine.process(100, parent: 90, start: 20, uid: uid, v2: "/agents/web-1", freezer: "/agents/web-1")
        let reason = "process 101 stands in /agents/web-1, which is not of user agents"
        let failure = expectFailure("runc:agents/own", machine, .refused, containing: reason)
        #expect(failure?.hint == "quell freeze pid:100")
        // Ids that root gave the user for containers are that user's.
        try machine.process(101, parent: 100, start: 21, uid: 100_005, v2: "/agents/web-1", freezer: "/agents/web-1")
        expectFailure("runc:agents/own", machine, .refused, containing: "which is not of user agents")
        try machine.file("etc/subuid", "others:200000:65536\nagents:100000:65536\n")
        #expect(try resolve("runc:agents/own", machine).members.map(\.pin.pid) == [100, 101])
        try machine.process(101, parent: 100, start: 21, uid: 0, v2: "/agents/web-1", freezer: "/agents/web-1")
        for tree in ["unified", "freezer"] { chown("\(machine.root)/cgroup/\(tree)/agents/web-1", uid, uid) }
        #expect(try resolve("runc:agents/own", machine).leader?.pin.pid == 100)
    }

    @Test("RT13 RT30 a lease on what a user wrote refuses the locator, and the way around reads nothing of the user's")
    func leased() throws {
        let uid = geteuid() == 0 ? 1234 : geteuid()
        let machine = try machine()
        try machine.file("etc/passwd", "agents:x:\(uid):7::/home/agents:/bin/sh\n")
        let status = "run/user/\(uid)/crun/own/status"
        try machine.file(status, #"{"pid":100,"process-start-time":20,"cgroup-path":"/agents/web-1"}"#)
        let storage = "home/agents/.local/share/containers/storage/overlay-containers/containers.json"
        try machine.file(storage, "[]")
        signal(SIGIO, SIG_IGN)
        for (path, locator) in [(status, "crun:agents/own"), (storage, "podman:agents/own")] {
            let file = open("\(machine.root)/\(path)", O_RDWR | O_CLOEXEC)
            defer { close(file) }
            let setLease: Int32 = 1024
            try #require(fcntl(file, setLease, F_WRLCK) == 0, "\(String(cString: strerror(errno)))")
            let failure = expectFailure(locator, machine, .system, containing: "EAGAIN")
            #expect(failure?.hint?.contains("quell freeze pid:N") == true, "\(String(describing: failure))")
        }
    }

    @Test("RT13 a user's state over which FUSE is mounted is not opened; a slow home does not matter")
    func fuse() throws {
        let uid = geteuid() == 0 ? 1234 : geteuid()
        let machine = try machine()
        try machine.file("etc/passwd", "agents:x:\(uid):7::/home/agents:/bin/sh\n")
        func mount(_ path: String, _ type: String) throws {
            try machine.file("proc/self/mountinfo", "41 1 0:50 / \(machine.root)/\(path) rw - \(type) x rw\n")
        }
        try mount("run/user/\(uid)/runc/own", "fuse.sshfs")
        expectFailure("runc:agents/own", machine, .refused, containing: "fuse.sshfs is mounted there")
        try mount("run/user/\(uid)/doc", "fuse.portal")
        expectFailure("runc:agents/own", machine, .notFound, containing: "user agents has no containers of runc")
        try mount("home", "nfs4")
        expectFailure("runc:agents/own", machine, .notFound, containing: "user agents has no containers of runc")
    }

    @Test("an absent, an unknown and a half made container each get a sentence and a way on")
    func absent() throws {
        let machine = try RecordedMachine()
        let none = expectFailure("runc:web", machine, .notFound, containing: "root has no containers of runc")
        #expect(none?.hint == "for a user's containers write runc:USER/ID")
        try machine.file("run/runc/other/x", "")
        let unknown = expectFailure("runc:web", machine, .notFound, containing: "no container of that id for root")
        #expect(unknown?.hint == "quell sessions")
        let half = expectFailure("runc:other", machine, .notFound, containing: "it is half made or half removed")
        #expect(half?.hint?.contains("quell freeze pid:N") == true)
    }

    @Test(
        "state of another version is said to be so, with the way around",
        arguments: [
            "", "{}", "[]", "nul", #"{"id":"another","init_process_pid":100,"init_process_start":20}"#,
            #"{"id":"web-1","initProcessPid":100,"cgroups":["/x"]}"#,
            #"{"id":"web-1","init_process_pid":100,"init_process_start":20,"cgroup_paths":{}}"#,
            #"{"id":"web-1","init_process_pid":"100","init_process_start":"20"}"#,
        ]
    )
    func otherVersion(text: String) throws {
        let machine = try machine()
        try machine.write("run/runc/web-1/state.json", text)
        let form = "not of a form that this version knows"
        let failure = expectFailure("runc:web-1", machine, .malformed, containing: form)
        #expect(failure?.hint?.contains("quell freeze pid:N") == true)
    }

    @Test("containers that runc and crun know are read for lists; what is not to be believed is left out, and told")
    func listed() throws {
        let machine = try machine()
        try machine.file("run/crun/c1/status", #"{"pid":101,"process-start-time":21,"cgroup-path":"/agents/web-1"}"#)
        try machine.file("run/runc/bad/state.json", "{}")
        try machine.file("run/runc/open/state.json", RecordedMachine.state("open", pid: 90, start: 10, group: "/"))
        chmod("\(machine.root)/run/runc/open/state.json", 0o666)
        var containers = try OCIContainers(host: machine.host(), root: BytePath(machine.root))
        let known = containers.read()
        #expect(Set(known.keys.map(\.pid)) == [100, 101])
        let first = known[ProcessPin(pid: 100, startTicks: 20)]
        #expect(first?.kind == .runc && first?.id == BytePath("web-1"))
        #expect(known[ProcessPin(pid: 101, startTicks: 21)]?.kind == .crun)
        #expect(Set(containers.failures.map(\.code)) == [.malformed, .refused] && containers.failures.count == 2)
    }

    @Test("a folder of states that cannot be listed is told with what runs and with what has ended")
    func unlisted() throws {
        let machine = try RecordedMachine()
        try machine.file("run/runc", "no folder")
        var containers = try OCIContainers(host: machine.host(), root: BytePath(machine.root))
        #expect(containers.read().isEmpty && containers.failures.map(\.errno) == [ENOTDIR])
        var ended = DeadSessionLook(try machine.host(), root: BytePath(machine.root), among: [], gvisor: [])
        #expect(ended.look().isEmpty && ended.failures.map(\.errno) == [ENOTDIR])
    }

    /// A user's container whose runtime could make no cgroup: 100 in a pid namespace of its own, below nothing.
    private func ungrouped(pidNamespace: Int = 4_026_532_500, group: String = "/own") throws -> RecordedMachine {
        let uid = geteuid() == 0 ? 1234 : geteuid()
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 20, uid: uid, name: "sh", pidNamespace: pidNamespace)
        try machine.process(101, parent: 100, start: 21, uid: uid, pidNamespace: pidNamespace)
        try machine.process(200, parent: 1, start: 15, uid: uid, name: "vim")
        let state = RecordedMachine.state("own", pid: 100, start: 20, group: group)
        try machine.file("run/user/\(uid)/runc/own/state.json", state)
        for path in ["", "/runc", "/runc/own", "/runc/own/state.json"] {
            chown("\(machine.root)/run/user/\(uid)\(path)", uid, uid)
        }
        try machine.file("etc/passwd", "agents:x:\(uid):7::/home/agents:/bin/sh\n")
        return machine
    }

    @Test("a user's container without a cgroup is found by its own pid namespace, by the user's name and number")
    func withoutCgroup() throws {
        let uid = geteuid() == 0 ? 1234 : geteuid()
        let machine = try ungrouped()
        for locator in ["runc:agents/own", "runc:\(uid)/own"] {
            let session = try resolve(locator, machine)
            #expect(session.runtime == .runc && session.pin.cgroups.isEmpty)
            #expect(session.members.map(\.pin.pid) == [100, 101] && session.leader?.pin.pid == 100)
        }
        var containers = try OCIContainers(host: machine.host(), root: BytePath(machine.root))
        let found = containers.read()
        #expect(found.map { $0.value.id } == [BytePath("own")])
    }

    @Test("RT8 without a cgroup a user's state names no process that shares its pid namespace with others")
    func withoutCgroupPlanted() throws {
        let shared = try ungrouped(pidNamespace: 4_026_531_836)
        expectFailure("runc:agents/own", shared, .refused, containing: "in no cgroup of that container")
        // Where the group of the state is there, the process has to stand in it.
        let elsewhere = try ungrouped(group: "/own")
        try elsewhere.cgroup("/own")
        expectFailure("runc:agents/own", elsewhere, .refused, containing: "in no cgroup of that container")
        // Root's runtime can always make one.
        let root = try ungrouped()
        try root.file("run/runc/own/state.json", RecordedMachine.state("own", pid: 100, start: 20, group: "/own"))
        expectFailure("runc:own", root, .refused, containing: "in no cgroup of that container")
    }

    @Test("RT8 a user's state is listed for that user's processes only", .enabled(if: geteuid() == 0))
    func listedForeign() throws {
        let machine = try ungrouped()
        try machine.process(300, parent: 1, start: 30, uid: 0, name: "sshd")
        let path = "run/user/1234/runc/sshd/state.json"
        try machine.file(path, RecordedMachine.state("sshd", pid: 300, start: 30, group: "/"))
        for made in ["run/user/1234/runc/sshd", path] { chown("\(machine.root)/\(made)", 1234, 1234) }
        var containers = try OCIContainers(host: machine.host(), root: BytePath(machine.root))
        let found = containers.read()
        #expect(found.map { $0.value.id } == [BytePath("own")])
    }

    /// A container of lxc 5 with its monitor.
    private func lxc(_ name: String, monitor: String = "lxc-start", group: String? = nil) throws -> RecordedMachine {
        let machine = try RecordedMachine()
        let payload = group ?? "/lxc.payload.\(name)"
        try machine.process(80, parent: 1, start: 10, name: monitor, v2: "/lxc.monitor.\(name)-1")
        try machine.process(100, parent: 80, start: 20, uid: 0, name: "init", v2: payload, freezer: payload)
        return machine
    }

    @Test("a container of lxc is found by its name, with the groups of lxc before version 4, too")
    func lxcFound() throws {
        for (locator, machine) in [
            ("lxc:web", try lxc("web")), ("lxc:web", try lxc("web", group: "/lxc/web")),
            ("web", try lxc("web")), ("lxc:web", try lxc("web", monitor: "renamed")),
        ] {
            let session = try resolve(locator, machine)
            #expect(session.runtime == .lxc || locator == "web")
            #expect(session.leader?.pin.pid == 100 && session.pin.cgroups.count == 2)
            #expect(session.members.map(\.pin.pid) == [100])
        }
    }

    @Test("RT7 more cgroups than there is time for: a name that needs them all is refused, with what was found")
    func manyGroups() throws {
        let machine = try lxc("web")
        for number in 0..<80 { try machine.cgroup("/a\(number)") }
        let host = try machine.host()
        let root = BytePath(machine.root)
        let found = #expect(throws: Failure.self) {
            let name = try #require(ContainerName(parsing: BytePath("web")))
            return try LXCLookup(host: host, root: root, patience: .zero).find(name, for: "freeze")
        }
        #expect(found?.code == .timedOut && found?.hint?.hasPrefix("quell ") == true, "\(String(describing: found))")
        let named = #expect(throws: Failure.self) {
            let names = NameLookup(host: host, root: root, inventory: .empty, patience: .zero)
            return try names.find(BytePath("lxc.payload.web"), for: "freeze")
        }
        #expect(named?.code == .timedOut && named?.reason.contains("more cgroups than") == true)
        #expect(try resolve("lxc:web", machine).leader?.pin.pid == 100)
    }

    @Test("RT8 a cgroup of the name that lxc's monitor did not fill is not taken, and the way around is a pid")
    func lxcPlanted() throws {
        let machine = try RecordedMachine()
        try machine.process(90, parent: 1, start: 10, name: "bash", v2: "/user.slice")
        try machine.process(100, parent: 90, start: 20, v2: "/user.slice/lxc.payload.web")
        let failure = expectFailure("lxc:web", machine, .refused, containing: "lxc did not start what stands in it")
        #expect(failure?.hint == "quell freeze pid:100")
    }

    @Test("a stopped, an unknown and a doubled container of lxc each get a sentence")
    func lxcAbsent() throws {
        let machine = try RecordedMachine()
        expectFailure("lxc:web", machine, .notFound, containing: "no container of lxc of that name runs")
        try machine.file("var/lib/lxc/web/config", "")
        expectFailure("lxc:web", machine, .notFound, containing: "it is stopped: nothing of it runs")
        let two = try lxc("web")
        try two.process(200, parent: 80, start: 30, v2: "/user.slice/lxc.payload.web")
        let failure = expectFailure("lxc:web", two, .ambiguous, containing: "2 cgroups have the name")
        #expect(failure?.hint == "quell freeze pid:100\nquell freeze pid:200")
        // An empty group of that name is nobody's container.
        try two.cgroup("/elsewhere/lxc.payload.web")
        let again = expectFailure("lxc:web", two, .ambiguous, containing: "2 cgroups have the name")
        #expect(again?.hint == failure?.hint)
        let one = try lxc("web")
        try one.cgroup("/elsewhere/lxc.payload.web")
        #expect(try resolve("lxc:web", one).leader?.pin.pid == 100)
        try machine.cgroup("/lxc.payload.web")
        expectFailure("lxc:web", machine, .notFound, containing: "its cgroup is empty: nothing of it runs")
    }
}
