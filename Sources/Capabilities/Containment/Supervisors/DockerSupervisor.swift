internal import Base
internal import Kernel
internal import Sessions

extension SupervisorSearch {
    /// The id of the container of docker that a component of a cgroup path may stand for.
    func dockerContainer(_ component: BytePath) -> String? {
        guard var name = component.text else { return nil }
        if name.hasPrefix("docker-"), name.hasSuffix(".scope") { name = String(name.dropFirst(7).dropLast(6)) }
        let isID = name.utf8.count == 64 && name.allSatisfy { $0.isHexDigit && !$0.isUppercase }
        return isID ? name : nil
    }

    /// dockerd restarts a container when its containerd-shim says that it has ended, and has the shim start health checks:
    /// the shim, which serves this container alone, is who has to be held. Without policy and check the shim starts
    /// nothing, and dockerd is told of the end and starts nothing either. A container that docker's files do not name is
    /// another engine's, whose shim stays a daemon.
    func tellDocker(_ id: String, _ parents: inout [ProcessStat], _ findings: inout Findings) {
        let container: DockerContainer
        do throws(Failure) {
            guard let found = try DockerStore(root: root).container(id) else { return }
            container = found
        } catch {
            findings.notes.append("container \(id.prefix(12)): its restart policy is not known: \(error.reason)")
            return
        }
        // A name alone would do for anybody: it has to run a file of the host's that only root can change.
        let shim = parents.firstIndex { parent in
            ParentProgram(parent, on: host).trusted?.hasPrefix("containerd-shim") ?? false
        }.map { parents.remove(at: $0) }
        let whats = [
            container.restart.map { "restart policy \($0)" }, container.hasHealthCheck ? "a health check" : nil,
        ]
        let what = whats.compactMap { $0 }.joined(separator: " and ")
        guard !what.isEmpty else { return }
        findings.supervisors.append(
            Supervisor(
                kind: .dockerPolicy,
                name: BytePath(id),
                detail: "\(what) in docker's files",
                process: shim?.pin,
                reason: shim == nil ? "its containerd-shim is not the parent of any member" : nil
            )
        )
    }
}
