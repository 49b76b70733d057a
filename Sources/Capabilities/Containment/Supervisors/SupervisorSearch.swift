internal import Base
internal import Glibc
internal import Kernel

/// Finds supervisors from cgroup paths, what systemd says, container stores and the parents of the session's processes.
/// Reads root-owned files of the host and stat files besides; runs after the freeze.
struct SupervisorSearch {
    /// Where unit files and container stores are looked for; `/` but for tests.
    let root: BytePath
    let host: Host
    /// Quell's own pid and its parents: the shell that waits for Quell restarts nothing meanwhile.
    let responder: [Int32]

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
        var seen = Set(responder)
        for pid in pids where pid > 1 && seen.insert(pid).inserted {
            guard let parent = scanner.namedStat(of: pid), !parent.numbers.isKernelThread, !parent.numbers.isDead
            else { continue }
            parents.append(parent)
        }
        var findings = Findings()
        let managers = OtherManagers(host: host)
        findings.supervisors += managers.find(above: paths, parents: &parents)
        for component in Set(paths.flatMap(\.components)).sorted() {
            if let id = dockerContainer(component) { tellDocker(id, &parents, &findings) }
        }
        let units = UnitSearch(root: root)
        for (name, groups) in SupervisorSearch.names(on: paths, managers).sorted(by: { $0.key < $1.key }) {
            guard let unit = units.supervisor(for: name, in: groups, &findings.notes) else { continue }
            findings.supervisors.append(unit)
        }
        let containers = Set(paths.flatMap(\.components).compactMap(PodmanStore.container)).sorted()
        for (id, known) in PodmanStore(root: root).knowledge(of: containers).sorted(by: { $0.key < $1.key }) {
            tell(known, of: id, &parents, &findings)
        }
        findings.supervisors += KubeletPod.supervisors(of: paths, root: root)
        let clock = ClockSearch(root: root, host: host).find(above: parents)
        findings.supervisors += clock.supervisors
        findings.notes += clock.notes
        for parent in parents where !clock.waiting.contains(parent.pin) {
            let program = ParentProgram(parent, on: host)
            if let starter = program.supervisor(parent) { findings.supervisors.append(starter) }
        }
        return findings
    }

    /// The names of the groups on a path that are the machine's own, each with the groups that have it: what lies below
    /// another manager's is no business of the machine's.
    private static func names(on paths: [BytePath], _ managers: OtherManagers) -> [BytePath: Set<BytePath>] {
        var found: [BytePath: Set<BytePath>] = [:]
        for path in paths {
            var group = BytePath("/")
            for component in path.components.dropLast(managers.units(of: path).count) {
                group = group.appending(component)
                found[component, default: []].insert(group)
            }
        }
        return found
    }

    /// podman restarts by the command that conmon runs when the container has ended: conmon is who has to be held, and also
    /// where the policy is not known. A health check is run by a timer of systemd's; where systemd does not run, nothing
    /// runs it by itself.
    private func tell(
        _ known: PodmanStore.Knowledge,
        of id: String,
        _ parents: inout [ProcessStat],
        _ findings: inout Findings
    ) {
        let settings: PodmanStore.Settings
        switch known {
        case .unknown(let reason):
            findings.supervisors.append(policy(of: id, "its restart policy is not known: \(reason)", &parents))
            return
        case .settings(let found): settings = found
        }
        if let restart = settings.restart {
            let detail = "restart policy \(restart) in \(settings.database)"
            findings.supervisors.append(policy(of: id, detail, &parents))
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

    private func policy(of id: String, _ detail: String, _ parents: inout [ProcessStat]) -> Supervisor {
        let conmon = parents.firstIndex { $0.name == BytePath("conmon") }.map { parents.remove(at: $0) }
        return Supervisor(
            kind: .podmanPolicy,
            name: BytePath(id),
            detail: detail,
            process: conmon?.pin,
            reason: conmon == nil ? "its conmon is not the parent of any member" : nil
        )
    }

    static func isFolder(_ path: BytePath) -> Bool {
        do throws(Failure) {
            _ = try Descriptor(opening: path, O_RDONLY | O_DIRECTORY)
            return true
        } catch {
            return false
        }
    }
}
