import Glibc
import Programs
import Testing

extension SystemTests {
    /// A real systemd, of the version that the host has: no double.
    @Suite(
        "a real systemd",
        .kernel(.root, .cgroup2, .program("systemd-nspawn"), .program("nsenter"), .program("systemctl"))
    )
    struct SystemdSystemTests {
        private static let folder = "etc/systemd/system"
        /// Says every 100 ms that it lives, and is killed when it does not for a second.
        private static let watched = """
            [Unit]
            DefaultDependencies=no
            [Service]
            Type=notify
            NotifyAccess=all
            ExecStart=/bin/sh -c 'systemd-notify --ready; while :; do systemd-notify WATCHDOG=1; sleep 0.1; done'
            Restart=always
            RestartSec=100ms
            WatchdogSec=1

            """

        @Test(
            "RT4 a real unit with Restart= and WatchdogSec= survives its watchdog frozen, and undo gives both back",
            .sandbox
        )
        func unitHeld() throws {
            try SystemdMachine.with(
                ["\(Self.folder)/agent.service": Self.watched],
                start: "agent.service"
            ) { machine in
                #expect(try machine.quell("init").status == 0)
                let frozen = try machine.quell("freeze", "unit:agent.service")
                #expect(frozen.status == 0 && frozen.text.hasPrefix("freeze confirmed"), "\(frozen.all)")
                #expect(machine.property("Restart", of: "agent.service") == "no")
                #expect(machine.property("WatchdogUSec", of: "agent.service") == "0")
                #expect(machine.dropIns().count == 1)
                let main = machine.property("MainPID", of: "agent.service")
                // Two watchdogs later it would be dead.
                #expect(!eventually(within: .seconds(2)) { machine.state("agent.service") != "active" })

                let thawed = try machine.quell("thaw", "unit:agent.service", "--reason", "x", "--waive", "x")
                #expect(thawed.status == 0, "\(thawed.all)")
                #expect(machine.property("Restart", of: "agent.service") == "always")
                #expect(machine.property("WatchdogUSec", of: "agent.service") == "1s")
                #expect(machine.dropIns().isEmpty)
                #expect(machine.property("MainPID", of: "agent.service") == main, "it was never restarted")
                // The watchdog is at work again: who stays silent is killed, and comes back.
                try machine.run("/bin/kill", "-STOP", main)
                let isBack = eventually(within: .seconds(20)) {
                    machine.state("agent.service") == "active"
                        && machine.property("MainPID", of: "agent.service") != main
                }
                #expect(isBack)

                let scope = try machine.start("/usr/bin/systemd-run", "--scope", "--unit=probe", "/bin/sleep", "1000")
                let isThere = eventually(within: .seconds(20)) {
                    !machine.processes(at: "/system.slice/probe.scope").isEmpty
                }
                #expect(isThere)
                let held = try machine.quell("freeze", "unit:probe.scope")
                #expect(held.text.hasPrefix("freeze confirmed: 1 process"), "\(held.all)")
                let missing = try machine.quell("freeze", "unit:nowhere.service")
                #expect(missing.status == 2 && missing.errorText.contains("no unit of that name"), "\(missing.all)")
                #expect(!scope.hasEnded)
            }
        }

        @Test("RT4 a successor that a real systemd starts is seen, and contained again", .sandbox)
        func successor() throws {
            try SystemdMachine.with(
                ["\(Self.folder)/agent.service": Self.watched],
                start: "agent.service"
            ) { machine in
                #expect(try machine.quell("init").status == 0)
                let left = try machine.quell("freeze", "unit:agent", "--no-hold-restart")
                #expect(left.status == 3 && left.text.contains("supervisor agent.service is not held"), "\(left.all)")
                let killed = try machine.quell("kill", "unit:agent", "--reason", "x", "--waive", "x")
                #expect(killed.status == 3 && killed.text.contains("successor"), "\(killed.all)")
                #expect(eventually(within: .seconds(20)) { machine.state("agent.service") == "active" })

                let again = try machine.quell("freeze", "unit:agent")
                #expect(again.status == 0, "\(again.all)")
                let gone = try machine.quell("kill", "unit:agent", "--reason", "x", "--waive", "x")
                #expect(gone.status == 0, "\(gone.all)")
                #expect(machine.processes(at: "/system.slice/agent.service").isEmpty)
                #expect(machine.state("agent.service") != "active")
            }
        }

        @Test(
            "RT4 a unit that only a timer starts is held by stopping the timer, which runs again after the undo",
            .sandbox
        )
        func timer() throws {
            let files = [
                "\(Self.folder)/job.service":
                    "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 1000\n",
                "\(Self.folder)/job.timer":
                    "[Unit]\nDefaultDependencies=no\n[Timer]\nOnActiveSec=0\nOnUnitInactiveSec=200ms\nAccuracySec=10ms\n",
            ]
            try SystemdMachine.with(files, start: "job.timer") { machine in
                #expect(try machine.quell("init").status == 0)
                #expect(eventually(within: .seconds(20)) { machine.state("job.service") == "active" })
                let frozen = try machine.quell("freeze", "unit:job")
                #expect(frozen.status == 0 && frozen.errorText.contains("job.timer starts it"), "\(frozen.all)")
                #expect(machine.state("job.timer") == "inactive")
                // From outside, past Quell: it dies, and the timer brings nothing.
                for process in machine.processes(at: "/system.slice/job.service") { Glibc.kill(process, SIGKILL) }
                #expect(eventually(within: .seconds(20)) { machine.state("job.service") == "failed" })
                #expect(!eventually(within: .seconds(1)) { machine.state("job.service") == "active" })
                let cases = try machine.quell("case", "list").text
                let name = try #require(cases.split(separator: " ").first.map(String.init))
                #expect(try machine.quell("release-restart", name).status == 0)
                #expect(machine.state("job.timer") == "active")
                // A frozen group freezes whoever is born in it: what counts is that the timer is back.
            }
        }

        @Test(
            "RT4 a service that a socket starts stays down after the kill, and release and thaw leave the socket listening",
            .sandbox
        )
        func socket() throws {
            let files = [
                "\(Self.folder)/agent.socket":
                    "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/agent.sock\n",
                "\(Self.folder)/agent.service":
                    "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 1000\n",
            ]
            try SystemdMachine.with(files, start: "agent.socket", "agent.service") { machine in
                func connect() throws -> Child {
                    let path = "/proc/\(machine.first)/root/run/agent.sock"
                    return try Sandbox.of().start(Program(try Sandbox.testkitPath(), ["call", path]))
                }
                #expect(try machine.quell("init").status == 0)
                let frozen = try machine.quell("freeze", "unit:agent")
                #expect(frozen.status == 0 && frozen.errorText.contains("agent.socket starts it"), "\(frozen.all)")
                #expect(machine.state("agent.socket") == "active" && machine.dropIns().count == 1)
                let thawed = try machine.quell("thaw", "unit:agent", "--reason", "x", "--waive", "x")
                #expect(thawed.status == 0, "\(thawed.all)")
                #expect(machine.state("agent.socket") == "active" && machine.dropIns().isEmpty)

                #expect(try machine.quell("freeze", "unit:agent").status == 0)
                let killed = try machine.quell("kill", "unit:agent", "--reason", "x", "--waive", "x", "--watch", "1")
                #expect(killed.status == 0, "\(killed.all)")
                let caller = try connect()
                #expect(!eventually(within: .seconds(1)) { machine.state("agent.service") == "active" })
                let cases = try machine.quell("case", "list").text
                let name = try #require(cases.split(separator: " ").first.map(String.init))
                let released = try machine.quell("release-restart", name)
                #expect(released.status == 0, "\(released.all)")
                #expect(machine.state("agent.socket") == "active")
                caller.signal(SIGKILL)
                _ = try connect()
                #expect(eventually(within: .seconds(10)) { machine.state("agent.service") == "active" })
            }
        }

        @Test(
            "RT4 what restarts a killed service without Restart= is found and held, and status says when it is so no more",
            .sandbox
        )
        func otherRestarts() throws {
            let unit = "[Unit]\nDefaultDependencies=no\n"
            let service = "[Service]\nExecStart=/bin/sleep 1000\n"
            let files = [
                "\(Self.folder)/forced.service": "\(unit)\(service)RestartForceExitStatus=SIGKILL\nRestartSec=100ms\n",
                "\(Self.folder)/upheld.service": "\(unit)\(service)",
                "\(Self.folder)/keeper.service": "\(unit)Upholds=upheld.service\n\(service)",
            ]
            try SystemdMachine.with(files, start: "forced.service", "keeper.service") { machine in
                func stayDown(_ name: String) {
                    for process in machine.processes(at: "/system.slice/\(name)") { Glibc.kill(process, SIGKILL) }
                    #expect(eventually(within: .seconds(20)) { machine.state(name) == "failed" })
                    #expect(!eventually(within: .seconds(1)) { machine.state(name) == "active" })
                }
                #expect(try machine.quell("init").status == 0)
                let forced = try machine.quell("freeze", "unit:forced")
                #expect(forced.status == 0 && forced.errorText.contains("RestartForceExitStatus="), "\(forced.all)")
                #expect(try machine.quell("status").status == 0)
                let folder = "/run/systemd/system/forced.service.d"
                try machine.run(
                    "/bin/sh",
                    "-c",
                    "mv \(folder) /run/away && systemctl daemon-reload && mv /run/away \(folder)"
                )
                let status = try machine.quell("status")
                #expect(status.status != 0, "\(status.all)")
                #expect(status.text.contains("forced.service is kept from restarting"), "\(status.all)")
                try machine.run("/usr/bin/systemctl", "daemon-reload")
                #expect(try machine.quell("status").status == 0)
                stayDown("forced.service")

                #expect(eventually(within: .seconds(10)) { machine.state("upheld.service") == "active" })
                let upheld = try machine.quell("freeze", "unit:upheld")
                #expect(upheld.status == 0 && upheld.errorText.contains("Upholds= of keeper.service"), "\(upheld.all)")
                stayDown("upheld.service")
            }
        }

        @Test(
            "RT4 a unit of a user's systemd is held with that systemd, its other units run on, and release brings it back",
            .sandbox
        )
        func usersUnit() throws {
            let units = "home/agent/.config/systemd/user"
            let unit = "[Service]\nExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=100ms\n"
            let files = [
                "\(Self.folder)/user@.service": """
                [Unit]
                DefaultDependencies=no
                [Service]
                User=%i
                Type=notify
                Slice=user-%i.slice
                Delegate=yes
                ExecStartPre=+/bin/sh -c 'mkdir -p /run/user/%i && chown %i /run/user/%i'
                Environment=XDG_RUNTIME_DIR=/run/user/%i HOME=/home/agent
                ExecStart=/usr/lib/systemd/systemd --user --unit=both.target

                """,
                "\(units)/rogue.service": unit,
                "\(units)/other.service": unit,
                "\(units)/both.target": "[Unit]\nWants=rogue.service other.service\n",
            ]
            try SystemdMachine.with(files, start: "user@1000.service") { machine in
                let slice = "/user.slice/user-1000.slice/user@1000.service"
                func living(_ unit: String) -> Int32? {
                    machine.processes(at: "\(slice)/app.slice/\(unit).service").first { pid in
                        let stat = Files.text("/proc/\(pid)/stat") ?? ""
                        return !stat.isEmpty && !stat.contains(") Z ")
                    }
                }
                #expect(try machine.quell("init").status == 0)
                #expect(eventually(within: .seconds(20)) { living("rogue") != nil && living("other") != nil })
                let manager = try #require(machine.processes(at: "\(slice)/init.scope").first)
                let frozen = try machine.quell("freeze", "unit:agent/rogue.service")
                #expect(frozen.status == 0 && frozen.text.hasPrefix("freeze confirmed"), "\(frozen.all)")
                #expect(frozen.errorText.contains("restart held"), "\(frozen.all)")
                #expect(machine.processes(at: "\(slice)/init.scope").isEmpty && Glibc.kill(manager, 0) == 0)
                let other = try #require(living("other"))
                let killed = try machine.quell("kill", "unit:agent/rogue.service", "--reason", "x", "--waive", "x")
                #expect(killed.status == 0, "\(killed.all)")
                #expect(living("rogue") == nil && living("other") == other)

                let cases = try machine.quell("case", "list").text
                let name = try #require(cases.split(separator: " ").first.map(String.init))
                let released = try machine.quell("release-restart", name)
                #expect(released.status == 0, "\(released.all)")
                #expect(machine.processes(at: "\(slice)/init.scope") == [manager])
                #expect(eventually(within: .seconds(20)) { living("rogue") != nil })
                #expect(living("other") == other)
            }
        }
    }
}

extension Program.Result {
    fileprivate var all: String { "\(status): \(text)\(errorText)" }
}
