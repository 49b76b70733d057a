import Base
import Glibc
import Kernel
import Programs
import Testing

@testable import Containment

extension SystemTests {
    /// What a real systemd does is in ``SystemdSystemTests``; here a double answers as systemctl 252 does, also wrongly, and
    /// writes down how it was called.
    @Suite("units of systemd's", .kernel(.root))
    struct UnitSystemTests {
        @Test(
            "RT4 a unit that restarts is held by a drop-in and a reload, its timer is stopped, and undo takes both back"
        )
        func held() throws {
            let machine = try UnitMachine()
            let host = try Host()
            var effects: [ContainmentEffect] = []
            let held = SupervisorHold(host).hold(machine.findings(on: host), root: BytePath(machine.root)) {
                batch,
                act throws(Failure) in
                effects += batch
                try act()
            }
            #expect(held.isComplete && held.effects == effects, "\(held)")
            let dropIns = Files.names(in: "\(machine.root)/run/systemd/system/agent@7.service.d") ?? []
            #expect(dropIns.count == 1 && dropIns[0].hasPrefix("zz-quell-") && dropIns[0].hasSuffix(".conf"))
            #expect(
                try machine.calls().filter { !$0.hasPrefix("show") } == [
                    "daemon-reload", "stop --no-block -- agent@7.timer",
                ]
            )
            for effect in effects { #expect(try effect.probe(on: host) == .done, "\(effect.summary)") }

            let released = try SupervisorHold.letGo(effects, on: host) { _, act throws(Failure) in try act() }
            #expect(released.isComplete && released.units == ["agent@7.timer", "agent@7.service"], "\(released)")
            #expect(Files.names(in: "\(machine.root)/run/systemd/system") == [])
            #expect(try machine.calls().suffix(3).filter { !$0.hasPrefix("show") }.last == "daemon-reload")
            #expect(try machine.calls().contains("start -- agent@7.timer"))
            for effect in effects { #expect(try effect.probe(on: host) == .notDone, "\(effect.summary)") }
        }

        @Test(
            "RT4 what systemd does not confirm is not held, with the reason",
            arguments: [
                ("stubborn", "systemd still has Restart=always"), ("watched", "kills it when it stays silent"),
                ("forced", "RestartForceExitStatus=7"), ("failing", "it failed"), ("endless", "it did not end in time"),
            ]
        )
        func notHeld(mode: String, reason: String) throws {
            let machine = try UnitMachine(mode)
            let host = try Host()
            let held = SupervisorHold(host).hold(machine.findings(on: host), root: BytePath(machine.root)) {
                _,
                act throws(Failure) in
                try act()
            }
            #expect(!held.isComplete && held.supervisors.count == 1)
            #expect(held.supervisors[0].reason?.contains(reason) == true, "\(held)")
        }

        @Test("RT22 a group that only has the name of a unit is no unit: systemd is asked, and nothing else is called")
        func elsewhere() throws {
            let machine = try UnitMachine("elsewhere")
            let host = try Host()
            let found = machine.findings(on: host)
            #expect(found.supervisors.isEmpty && found.notes.contains { $0.contains("is not that unit") }, "\(found)")
            let held = SupervisorHold(host).hold(found, root: BytePath(machine.root)) { _, _ in
                Issue.record("nothing may be done")
            }
            #expect(held.isComplete && held.supervisors.isEmpty, "\(held)")
            #expect(try machine.calls().allSatisfy { $0.hasPrefix("show") })
            #expect(try !machine.calls().isEmpty)
        }

        @Test("a drop-in that systemd has not taken up holds nothing, whatever the file says")
        func deaf() throws {
            let machine = try UnitMachine("deaf")
            let host = try Host()
            let held = SupervisorHold(host).hold(machine.findings(on: host), root: BytePath(machine.root)) {
                _,
                act throws(Failure) in
                try act()
            }
            #expect(!held.isComplete, "\(held)")
            let hold = try #require(held.effects.first)
            #expect(try hold.probe(on: host) == .partly)
        }

        @Test(
            "what systemd does later than it is waited for is kept, and taken back by the undo",
            arguments: ["late", "latereload"]
        )
        func late(mode: String) throws {
            let machine = try UnitMachine(mode)
            let host = try Host()
            let began = ContinuousClock.now
            let held = SupervisorHold(host).hold(machine.findings(on: host), root: BytePath(machine.root)) {
                _,
                act throws(Failure) in
                try act()
            }
            #expect(began.duration(to: .now) < .seconds(12))
            #expect(!held.isComplete, "\(held)")
            switch try #require(held.effects.last) {
            case .stopUnit:
                #expect(mode == "late")
                #expect(eventually(within: .seconds(20)) { Files.exists("\(machine.root)/stopped") })
                let released = try SupervisorHold.letGo(held.effects, on: host) { _, act throws(Failure) in try act() }
                #expect(released.isComplete && !Files.exists("\(machine.root)/stopped"), "\(released)")
            case .holdUnit(_, let dropIn, _):
                #expect(mode == "latereload" && UnitHold.isThere(dropIn))
                _ = try SupervisorHold.letGo(held.effects, on: host) { _, act throws(Failure) in try act() }
                #expect(!UnitHold.isThere(dropIn))
            default: Issue.record("\(held)")
            }
        }

        @Test("RT38 a systemctl that others could change is never started")
        func planted() throws {
            let machine = try UnitMachine()
            #expect(chmod("\(machine.root)/usr/bin/systemctl", 0o777) == 0)
            let host = try Host()
            let held = SupervisorHold(host).hold(machine.findings(on: host), root: BytePath(machine.root)) { _, _ in
                Issue.record("nothing may be done")
            }
            #expect(!held.isComplete && held.supervisors[0].reason?.contains("others than root may write") == true)
            #expect(try machine.calls().isEmpty)
        }

        @Test("RT14 a name that systemd would not have never reaches systemctl or a path")
        func names() {
            for name in ["", "-x.service", ".x.service", "a/b.service", "a b.service", "a\n.service", "$(id).service"] {
                #expect(!SystemdManager.isName(name), "\(name)")
            }
            for name in ["agent@7.service", "a\\x2db.service", "x_1:2.timer"] { #expect(SystemdManager.isName(name)) }
        }
    }
}

/// A folder of root's as the root of a machine that systemd runs, with a double of systemctl.
private final class UnitMachine {
    let root: String

    /// `mode` says what the double does wrong.
    init(_ mode: String = "plain") throws {
        root = try #require(Files.makeTemporaryFolder("/run/quell-test-units-XXXXXX"))
        let script = """
            set -e
            cd "$0"
            mkdir -p run/systemd/system usr/bin etc/systemd/system
            printf '[Service]\nRestart=always\n' >etc/systemd/system/agent@.service
            cat >usr/bin/systemctl <<'END'
            #!/bin/sh
            root=${0%/usr/bin/systemctl}
            echo "$*" >>"$root/calls"
            set -- $*
            case "$1" in
            daemon-reload)
                rm -f "$root/loaded"
                if [ \(mode) = deaf ]; then exit 0; fi
                ls "$root"/run/systemd/system/agent@7.service.d/*.conf >"$root/loaded" 2>/dev/null || rm "$root/loaded"
                if [ \(mode) = latereload ]; then exec sleep 60; fi ;;
            stop)
                # The client may give up; the manager does it all the same.
                case \(mode) in
                late) setsid sh -c "sleep 8; touch '$root/stopped'" </dev/null >/dev/null 2>&1 & ;;
                *) touch "$root/stopped" ;;
                esac ;;
            start) rm -f "$root/stopped" ;;
            show)
                case "$4" in
                *.timer) if [ -e "$root/stopped" ]; then echo ActiveState=inactive; else echo ActiveState=active; fi ;;
                *)
                    restart=always watchdog=30s forced=7
                    if [ -e "$root/loaded" ]; then restart=no watchdog=0 forced=; fi
                    case \(mode) in
                    stubborn) restart=always ;;
                    watched) watchdog=30s ;;
                    forced) forced=7 ;;
                    failing) exit 1 ;;
                    endless) exec sleep 60 ;;
                    esac
                    echo Restart=$restart; echo RestartForceExitStatus=$forced; echo WatchdogUSec=$watchdog
                    group=/system.slice/agent@7.service
                    if [ \(mode) = elsewhere ]; then group=/other.slice/agent@7.service; fi
                    echo ControlGroup=$group; echo DropInPaths=$(cat "$root/loaded" 2>/dev/null)
                    echo TriggeredBy=agent@7.timer ;;
                esac ;;
            esac
            END
            chmod 755 usr/bin/systemctl
            """
        chmod(root, 0o755)
        let made = try Program("/bin/sh", ["-c", script, root]).run()
        #expect(made.status == 0, "\(made.errorText)")
    }

    deinit { _ = Files.removeTree(root) }

    func findings(on host: Host) -> SupervisorSearch.Findings {
        SupervisorSearch(root: BytePath(root), host: host, responder: []).find(
            paths: [BytePath("/system.slice/agent@7.service")],
            parents: []
        )
    }

    /// How the double was called, in order.
    func calls() throws -> [String] {
        (Files.text("\(root)/calls") ?? "").split(separator: "\n").map(String.init)
    }
}
