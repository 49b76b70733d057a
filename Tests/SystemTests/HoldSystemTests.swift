import Base
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    @Suite("freeze --hold", .kernel(.root, .cgroup2))
    struct HoldSystemTests {
        @Test("RT2 a session whose group is removed is held by its processes, and the others stay held", .sandbox)
        func goesOn() throws {
            let sandbox = try Sandbox.of()
            let top = try #require(sandbox.unified)
            let groups = ["a", "b"].map { top.subgroup($0) }
            var sessions: [Child] = []
            for group in groups {
                let child = try sandbox.start(Program("/bin/sleep", ["1000"]))
                #expect(Files.write("\(child.id)", to: "\(group.path)/cgroup.procs") == 0)
                sessions.append(child)
            }
            let store = "/var/tmp/\(sandbox.name)-store"
            defer { _ = Files.removeTree(store) }
            let binary = try Sandbox.testkitPath().replacing("quell-testkit", with: "quell")
            let quell = try sandbox.start(
                Program(
                    binary,
                    ["freeze", "cgroup:/\(sandbox.name)/a", "cgroup:/\(sandbox.name)/b", "--hold", "--no-cut"]
                        + ["--no-hold-restart", "--store", store]
                )
            )
            for _ in groups { _ = try quell.line { $0.hasPrefix("freeze ") } }
            for group in groups { #expect(group.isFrozen) }

            // An accomplice moves the process out and takes its group away.
            #expect(Files.write("\(sessions[0].id)", to: "\(top.path)/cgroup.procs") == 0)
            #expect(rmdir(groups[0].path) == 0)
            let host = try Host()
            let pid = sessions[0].id
            defer { takeAway(pid, host) }
            #expect(eventually(within: .seconds(20)) { quarantine(of: pid, host)?.isFrozenNow == true })
            #expect(groups[1].setFrozen(false) == 0)
            #expect(eventually(within: .seconds(20)) { groups[1].isFrozen })
            #expect(!quell.hasEnded)
            quell.signal(SIGINT)
            #expect(try quell.finish().status == 130)
            #expect(quarantine(of: pid, host)?.isFrozenNow == true && groups[1].isFrozen)
        }

        /// Quell's own group that a process stands in.
        private struct Quarantine {
            let group: Cgroup

            var isFrozenNow: Bool { (try? FreezerControl(group).current()) == .frozen }
        }

        private func quarantine(of pid: Int32, _ host: Host) -> Quarantine? {
            guard let unified = host.unified, let lines = try? ProcessDirectory(pid, on: host).cgroups(),
                let path = lines.first(where: { $0.hierarchy == "v2" })?.path,
                path.components.first?.text?.hasPrefix("quell-") == true, path.components.count == 1,
                path.text?.hasPrefix("/quell-test-") == false, let group = try? Cgroup(path, in: unified)
            else { return nil }
            return Quarantine(group: group)
        }

        /// Quarantines lie outside every sandbox.
        private func takeAway(_ pid: Int32, _ host: Host) {
            guard let group = quarantine(of: pid, host)?.group else { return }
            kill(pid, SIGKILL)
            try? FreezerControl(group).thaw()
            _ = eventually(within: .seconds(5)) {
                try? group.remove()
                return !group.stillExists()
            }
        }
    }
}
