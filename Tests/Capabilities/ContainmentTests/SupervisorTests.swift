import Base
import Glibc
import Kernel
import Testing

@testable import Containment

@Suite("supervisors")
struct SupervisorTests {
    private func setting(_ texts: String...) -> String? {
        var settings = UnitSettings()
        for text in texts { settings.apply(Array(text.utf8)) }
        return settings.reason
    }

    @Test("RT4 a unit that restarts or is watched is a supervisor; the last assignment wins")
    func units() {
        #expect(setting("[Service]\nRestart=always\n") == "Restart=always")
        #expect(
            setting("[Service]\n Restart = on-failure \nWatchdogSec=30\n") == "Restart=on-failure and WatchdogSec=30"
        )
        #expect(setting("[Service]\nRestart=always\n", "[Service]\nRestart=no\n") == nil)
        #expect(setting("[Service]\nRestart=always\n", "[Service]\nRestart=\n") == nil)
        #expect(setting("[Unit]\nRestart=always\n[Service]\nExecStart=/bin/true\n") == nil)
        #expect(setting("[Service]\nWatchdogSec=0\n") == nil)
        #expect(setting("[Service]\nRestartForceExitStatus=SIGKILL\n") == "RestartForceExitStatus=SIGKILL")
        #expect(setting("[Service]\nRestartForceExitStatus=SIGKILL\nRestartForceExitStatus=\n") == nil)
        #expect(setting("[Service]\nRuntimeMaxSec=60\n") == "RuntimeMaxSec=60")
        #expect(setting("") == nil)
    }

    @Test("RT4 a podman container's policy and health check are found in its store, as podman 4.3.1 writes them")
    func podman() {
        let one = String(repeating: "a", count: 64)
        let two = String(repeating: "b", count: 64)
        let store =
            "junk{\"id\":\"\(one)\",\"name\":\"x\"}\0\0{\"id\":\"\(two)\",\"restart_policy\":\"always\",\"id2\":1}tail"
        #expect(PodmanStore.settings(of: two, in: Array(store.utf8))?.restart == "always")
        #expect(PodmanStore.settings(of: one, in: Array(store.utf8)) == nil)
        #expect(PodmanStore.settings(of: String(repeating: "c", count: 64), in: Array(store.utf8)) == nil)
        // Cut out of a real bolt_state.db.
        let health =
            "{\"id\":\"\(one)\",\"healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"],\"Timeout\":30000000000,\"Retries\":1},"
            + "\"healthcheck_on_failure_action\":3,\"umask\":\"0022\"}"
        #expect(PodmanStore.settings(of: one, in: Array(health.utf8))?.healthCheckActs == true)
        let idle = health.replacing("action\":3", with: "action\":0")
        #expect(PodmanStore.settings(of: one, in: Array(idle.utf8)) == nil)
    }

    @Test("RT4 loops are to be held; what serves the whole machine is named with the reason; who is unknown is named")
    func parents() throws {
        func found(_ name: String, runs executable: String? = nil, trusted: Bool = true) throws -> Supervisor? {
            let line = "77 (\(name)) S 1 77 77 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n"
            let program = ParentProgram(
                executable: executable ?? name,
                trusted: trusted ? executable ?? name : nil
            )
            return program.supervisor(try #require(ProcessStat(parsing: Array(line.utf8))))
        }
        for name in ["bash", "supervisord", "timeout", "python3"] {
            let loop = try #require(try found(name))
            #expect(loop.kind == .parentLoop && loop.reason == nil && loop.process?.pid == 77)
        }
        // A script has its own name; the kernel knows the shell that runs it.
        #expect(try #require(try found("keep-agent.sh", runs: "dash")).reason == nil)
        #expect(try #require(try found("PM2 v5: God", runs: "python3.11")).reason == nil)
        for name in ["cron", "crond", "atd", "kubelet", "containerd-shim-runc-v2"] {
            let daemon = try #require(try found(name))
            #expect(daemon.kind == .sharedDaemon && daemon.reason?.contains("serves more than this session") == true)
            #expect(daemon.reason?.contains("--include 77") == true)
            // Under its name anybody can run.
            #expect(try #require(try found(name, runs: "dash")).reason == nil)
            let unknown = try #require(try found(name, runs: name, trusted: false))
            #expect(unknown.kind == .parentLoop && unknown.reason?.contains("--include 77") == true)
        }
        for name in ["node", "agentd", ""] {
            let unknown = try #require(try found(name))
            #expect(unknown.kind == .parentLoop && unknown.reason?.contains("--include 77") == true)
        }
        for name in ["sshd", "systemd", "conmon"] {
            #expect(try found("anything", runs: name) == nil)
            // Its name alone, or a file that others can change, makes nobody idle.
            #expect(try found(name, runs: "agentd") != nil)
            #expect(try found(name, runs: name, trusted: false) != nil)
        }
    }

    @Test("RT4 drop-ins of all folders are applied by file name, and of one name the first folder's counts")
    func dropIns() throws {
        let machine = try SupervisorFolder()
        try machine.file("usr/lib/systemd/system/agent.service", "[Service]\nRestart=no\n")
        try machine.file("etc/systemd/system/agent.service.d/10.conf", "[Service]\nRestart=no\n")
        try machine.file("run/systemd/system/agent.service.d/20.conf", "[Service]\nRestart=always\n")
        let files = UnitFiles(root: BytePath(machine.root))
        #expect(files.supervisor(for: BytePath("agent.service"))?.detail.hasPrefix("Restart=always") == true)
        try machine.file("etc/systemd/system/agent.service.d/20.conf", "[Service]\nRestart=no\n")
        #expect(files.supervisor(for: BytePath("agent.service")) == nil)
        try machine.file("run/systemd/system/service.d/30.conf", "[Service]\nRestart=on-failure\n")
        #expect(files.supervisor(for: BytePath("agent.service"))?.detail.hasPrefix("Restart=on-failure") == true)
    }

    @Test("RT4 where systemd runs, a service whose unit is nowhere to be read is a supervisor that is not held")
    func unknownUnit() throws {
        let machine = try SupervisorFolder()
        let search = SupervisorSearch(root: BytePath(machine.root), host: try Host(), responder: [])
        let paths = [BytePath("/system.slice/agent.service")]
        #expect(search.find(paths: paths, parents: []).supervisors.isEmpty)
        try machine.file("run/systemd/system/x", "")
        let found = search.find(paths: paths, parents: []).supervisors
        #expect(found.map(\.name) == [BytePath("agent.service")])
        #expect(found.first?.reason != nil && found.first?.isHeld == false)
    }

    @Test("RT4 a user's unit is its systemd's, whatever the host's own files say; one that is not found is named")
    func usersUnit() throws {
        let machine = try SupervisorFolder()
        try machine.file("run/systemd/system/x", "")
        try machine.file("usr/lib/systemd/system/user@.service", "[Service]\nType=notify\n")
        try machine.file("etc/systemd/system/agent.service", "[Service]\nRestart=no\n")
        let search = SupervisorSearch(root: BytePath(machine.root), host: try Host(), responder: [])
        let manager = "/user.slice/user-4242.slice/user@4242.service"
        let found = search.find(paths: [BytePath("\(manager)/app.slice/agent.service")], parents: []).supervisors
        #expect(found.map(\.kind) == [.systemdManager] && found.first?.reason != nil, "\(found)")
        // A scope is started by somebody else, and by nobody again.
        let scope = search.find(paths: [BytePath("\(manager)/app.slice/x.scope")], parents: []).supervisors
        #expect(scope.isEmpty, "\(scope)")
    }

    @Test("RT4 a unit that does not restart is a supervisor when a timer, a socket or a path starts it")
    func triggers() throws {
        let machine = try SupervisorFolder()
        let files = UnitFiles(root: BytePath(machine.root))
        func detail(_ unit: String) -> String? { files.supervisor(for: BytePath(unit))?.detail }
        try machine.file("etc/systemd/system/job.service", "[Service]\nExecStart=/bin/true\n")
        try machine.file("etc/systemd/system/job.timer", "[Timer]\nOnActiveSec=1\n")
        #expect(detail("job.service") == nil, "without systemd nothing starts it")
        try machine.file("run/systemd/system/x", "")
        #expect(detail("job.service") == "job.timer starts it")
        #expect(detail("other.service") == nil)
        try machine.file("usr/lib/systemd/system/watch.path", "[Path]\nPathExists=/x\nUnit = other.service\n")
        #expect(detail("other.service") == "watch.path starts it")
        try machine.file("usr/lib/systemd/system/talk@.socket", "[Socket]\nListenStream=1\n")
        #expect(detail("talk@3.service") == "talk@*.socket starts it")
    }

    @Test("RT4 spans of time are read as systemd writes them, so that a watchdog comes back as it was")
    func spans() {
        #expect(TimeSpan.microseconds("2s") == 2_000_000)
        #expect(TimeSpan.microseconds("1min 30s") == 90_000_000)
        #expect(TimeSpan.microseconds("1.500000s") == 1_500_000)
        #expect(TimeSpan.microseconds("1d 2h 3ms 4us") == 93_600_003_004)
        #expect(TimeSpan.microseconds("0") == 0)
        for text in ["", "infinity", "2", "2x", "-1s", "s"] { #expect(TimeSpan.microseconds(text) == nil, "\(text)") }
    }

    @Test("RT4 a container that no readable database names has an unknown policy, and is not held without its conmon")
    func unknownPolicy() throws {
        let machine = try SupervisorFolder()
        let id = String(repeating: "a", count: 64)
        let search = SupervisorSearch(root: BytePath(machine.root), host: try Host(), responder: [])
        let paths = [BytePath("/user.slice/libpod-\(id).scope")]
        let found = search.find(paths: paths, parents: []).supervisors
        #expect(found.map(\.kind) == [.podmanPolicy] && found.first?.detail.contains("not known") == true)
        #expect(found.first?.reason != nil)
        try machine.file("var/lib/containers/storage/db.sql", "x{\"id\":\"\(id)\",\"name\":\"n\"}")
        #expect(search.find(paths: paths, parents: []).supervisors.isEmpty)
    }

    @Test("RT4 containers for which no time was left have an unknown policy, and each database is read once for all")
    func manyContainers() throws {
        let machine = try SupervisorFolder()
        let ids = (0..<12).map { String(repeating: "0123456789ab".map { String($0) }[$0], count: 64) }
        try machine.file("var/lib/containers/storage/db.sql", ids.map { "{\"id\":\"\($0)\",\"name\":\"n\"}" }.joined())
        let store = PodmanStore(root: BytePath(machine.root))
        func unknown(_ known: [String: PodmanStore.Knowledge]) -> Int {
            known.values.count { if case .unknown = $0 { true } else { false } }
        }
        #expect(unknown(store.knowledge(of: ids)) == 0)
        #expect(unknown(store.knowledge(of: ids, by: Deadline(after: .zero))) == 12)
    }

    @Test("RT4 units and health checks that nothing here can hold keep their reason, and are not held")
    func recordedUnits() throws {
        let machine = try SupervisorFolder()
        try machine.file("etc/systemd/system/agent@.service", "[Service]\nRestart=always\n")
        let id = String(repeating: "a", count: 64)
        let json = "{\"id\":\"\(id)\",\"healthcheck_on_failure_action\":1}"
        try machine.file("var/lib/containers/storage/libpod/bolt_state.db", json)
        let paths = [BytePath("/system.slice/agent@7.service"), BytePath("/machine.slice/libpod-\(id).scope")]
        let host = try Host()
        let search = SupervisorSearch(root: BytePath(machine.root), host: host, responder: [])
        let without = search.find(paths: paths, parents: [])
        #expect(without.supervisors.map(\.kind) == [.systemdUnit])
        #expect(without.notes.count == 1 && without.notes[0].contains("without systemd nothing runs it by itself"))
        try machine.file("run/systemd/system/x", "")
        let with = search.find(paths: paths, parents: [])
        #expect(with.supervisors.map(\.kind) == [.systemdUnit, .podmanHealthCheck])
        let held = SupervisorHold(host).hold(with, root: BytePath(machine.root)) { _, _ in
            Issue.record("nothing may be done")
        }
        #expect(!held.isComplete && held.effects.isEmpty)
        #expect(held.supervisors.allSatisfy { !$0.isHeld && $0.reason != nil })
    }

    @Test("RT4 the machine's first process and Quell's own parents are never held")
    func refused() throws {
        let host = try Host()
        var findings = SupervisorSearch.Findings()
        for pid in [1, getpid(), getppid()] {
            let pin = try ProcessDirectory(pid, on: host).stat().pin
            findings.supervisors.append(
                Supervisor(kind: .parentLoop, name: BytePath("x"), detail: "planted", process: pin)
            )
        }
        let held = SupervisorHold(host).hold(findings) { _, _ in Issue.record("nothing may be done") }
        #expect(held.supervisors.allSatisfy { !$0.isHeld && $0.reason != nil }, "\(held)")
        #expect(held.effects.isEmpty)
    }
}

/// A folder as the root of a machine.
private final class SupervisorFolder {
    let root: String
    private var made: [String] = []

    struct Problem: Error { let text: String }

    init() throws {
        var template = Array("/tmp/quell-supervisors-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template) else { throw Problem(text: "mkdtemp") }
        root = String(cString: path)
    }

    deinit { for path in made.reversed() + [root] { remove(path) } }

    func file(_ path: String, _ text: String) throws {
        var folder = root
        for component in path.split(separator: "/").dropLast() {
            folder += "/\(component)"
            guard mkdir(folder, 0o755) == 0 || errno == EEXIST else { throw Problem(text: folder) }
            made.append(folder)
        }
        made.append("\(root)/\(path)")
        guard let file = fopen("\(root)/\(path)", "w") else { throw Problem(text: path) }
        defer { fclose(file) }
        fputs(text, file)
    }
}
