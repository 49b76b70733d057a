internal import Base
internal import Glibc
internal import Kernel

/// Finds supervisors from cgroup paths, unit files, container stores and the parents of the session's processes. Reads
/// root-owned files of the host and stat files only; runs after the freeze.
struct SupervisorSearch {
    /// Where unit files and container stores are looked for; `/` but for tests.
    let root: BytePath
    let host: Host
    /// Quell's own pid and its parents: the shell that waits for Quell restarts nothing meanwhile.
    let responder: Set<Int32>

    /// What was found, and what a person should know although it brings nothing back.
    struct Findings {
        var supervisors: [Supervisor] = []
        var notes: [String] = []
    }

    /// Everything that could bring back a session that stands at these paths and whose processes have these parents
    /// outside, the leader's first. The machine's first process is everybody's parent in the end and starts nothing
    /// again by being one; units are found by their files.
    func find(paths: [BytePath], parents pids: [Int32]) -> Findings {
        let scanner = ProcessScanner(host)
        var parents: [ProcessStat] = []
        var seen = responder
        for pid in pids where pid > 1 && seen.insert(pid).inserted {
            guard let parent = scanner.namedStat(of: pid), !parent.numbers.isKernelThread, !parent.numbers.isZombie
            else { continue }
            parents.append(parent)
        }
        var findings = Findings()
        for component in Set(paths.flatMap(\.components)).sorted() {
            if let unit = UnitFiles(root: root).supervisor(for: component) { findings.supervisors.append(unit) }
            guard let id = PodmanStore.container(of: component) else { continue }
            tell(PodmanStore(root: root).settings(of: id), of: id, &parents, &findings)
        }
        for parent in parents {
            if let loop = SupervisorSearch.loop(parent) { findings.supervisors.append(loop) }
        }
        return findings
    }

    /// podman restarts by the command that conmon runs when the container has ended: conmon is who has to be held. A
    /// health check is run by a timer of systemd's; where systemd does not run, nothing runs it by itself.
    private func tell(
        _ settings: PodmanStore.Settings?,
        of id: String,
        _ parents: inout [ProcessStat],
        _ findings: inout Findings
    ) {
        guard let settings else { return }
        if let policy = settings.restart {
            let conmon = parents.firstIndex { $0.name == BytePath("conmon") }.map { parents.remove(at: $0) }
            findings.supervisors.append(
                Supervisor(
                    kind: .podmanPolicy,
                    name: BytePath(id),
                    detail: "restart policy \(policy) in \(settings.database)",
                    process: conmon?.pin,
                    reason: conmon == nil ? "its conmon is not the parent of any member" : nil
                )
            )
        }
        guard settings.healthCheckActs else { return }
        let detail = "a health check that acts on failure in \(settings.database)"
        if SupervisorSearch.isFolder(root.appending("run/systemd/system")) {
            findings.supervisors.append(
                Supervisor(
                    kind: .podmanHealthCheck,
                    name: BytePath(id),
                    detail: detail,
                    process: nil,
                    reason: "a timer of systemd's runs it"
                )
            )
        } else {
            findings.notes.append("container \(id.prefix(12)) has \(detail); without systemd nothing runs it by itself")
        }
    }

    private static let starters: Set<String> = [
        "sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "busybox", "supervisord", "runsv", "runsvdir",
        "s6-supervise", "s6-svscan", "monit", "god", "circusd", "pm2", "nodemon", "foreman", "forever", "tini",
        "dumb-init", "catatonit", "watch", "timeout", "perl", "python3", "python",
    ]

    /// Who starts things for the whole machine: to hold one of these would hold others' work.
    private static let daemons: Set<String> = ["cron", "crond", "atd", "kubelet", "containerd", "dockerd"]

    static func loop(_ parent: ProcessStat) -> Supervisor? {
        guard let name = parent.name.text else { return nil }
        if daemons.contains(name) || name.hasPrefix("containerd-shim") {
            return Supervisor(
                kind: .sharedDaemon,
                name: parent.name,
                detail: "process \(parent.pid) started a member and may start it again",
                process: parent.pin,
                reason: "it serves more than this session: take the session out of its table"
            )
        }
        guard starters.contains(name) else { return nil }
        return Supervisor(
            kind: .parentLoop,
            name: parent.name,
            detail: "process \(parent.pid) is the parent of a member and may start it again",
            process: parent.pin
        )
    }

    private static func isFolder(_ path: BytePath) -> Bool {
        do throws(Failure) {
            _ = try Descriptor(opening: path, O_RDONLY | O_DIRECTORY)
            return true
        } catch {
            return false
        }
    }
}
