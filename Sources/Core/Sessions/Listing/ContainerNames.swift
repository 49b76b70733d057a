internal import Base
internal import Kernel

/// The names that engines have for their containers, for people who look at a list: c/storage of root and of each user
/// whose containers run, docker's folder, the machines of systemd-nspawn. A name only labels: no process is found by it
/// here.
struct ContainerNames {
    let host: Host
    let root: BytePath
    /// What could not be read; storage that is not there is no failure.
    private(set) var failures: [Failure] = []
    private var known: [UInt32: [String: String]] = [:]

    init(host: Host, root: BytePath) {
        self.host = host
        self.root = root
    }

    /// The same groups, those of podman's and docker's containers with the first name of each, also where gVisor runs
    /// them, and those of systemd-nspawn with the machine's name.
    mutating func label(_ groups: [SessionSorting.Group]) -> [SessionSorting.Group] {
        groups.map { group in
            var labelled = group
            switch group.runtime.kind {
            case .podman: labelled.runtime.label = podman(group)
            case .docker: labelled.runtime.label = docker(group)
            case .runc, .crun:
                // A user's podman that may make no cgroup is known by its runtime's state alone.
                guard let label = podman(group) else { break }
                labelled.runtime.kind = .podman
                labelled.runtime.label = label
            case .gvisor: labelled.runtime.label = podman(group) ?? docker(group)
            case .nspawn where group.runtime.name == nil:
                labelled.runtime.name = NspawnLookup(host: host).name(of: group.members.map(\.pin))
            default: break
            }
            return labelled
        }
    }

    private mutating func podman(_ group: SessionSorting.Group) -> BytePath? {
        guard let id = group.runtime.name?.text, ContainerStore.isID(id) else { return nil }
        return names(of: ContainerNames.owner(of: group))[id].map { BytePath($0) }
    }

    private mutating func docker(_ group: SessionSorting.Group) -> BytePath? {
        guard let id = group.runtime.name?.text, ContainerStore.isID(id) else { return nil }
        do throws(Failure) {
            return try DockerStore(root: root).container(id).map { BytePath($0.name) }
        } catch {
            if error.code != .notFound { failures.append(error) }
            return nil
        }
    }

    private mutating func names(of uid: UInt32) -> [String: String] {
        if let names = known[uid] { return names }
        var names: [String: String] = [:]
        do throws(Failure) {
            let owner: ContainerOwner = uid == 0 ? .root(at: root) : try .user(String(uid), at: root, on: host)
            for container in try ContainerStore(owner: owner).containers() {
                names[container.id] = container.names.first
            }
        } catch {
            if error.code != .notFound { failures.append(error) }
        }
        known[uid] = names
        return names
    }

    /// A user's containers stand below `user@UID.service` or `user-UID.slice`; where systemd does not run, the uid of the
    /// first process has to do.
    static func owner(of group: SessionSorting.Group) -> UInt32 {
        for component in group.runtime.cgroup.path.components {
            guard let text = component.text else { continue }
            for (prefix, suffix) in [("user-", ".slice"), ("user@", ".service")]
            where text.hasPrefix(prefix) && text.hasSuffix(suffix) {
                if let uid = UInt32(text.dropFirst(prefix.count).dropLast(suffix.count)) { return uid }
            }
        }
        return group.leader.uid ?? 0
    }
}
