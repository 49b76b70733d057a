internal import Base
internal import Kernel

/// The names that podman has for its containers, for people who look at a list: c/storage of root, and of each user
/// whose containers run. A name only labels: no process is found by it here.
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

    /// The same groups, those of podman's containers with the first name of each.
    mutating func label(_ groups: [SessionSorting.Group]) -> [SessionSorting.Group] {
        groups.map { group in
            guard group.runtime.kind == .podman, let id = group.runtime.name?.text else { return group }
            var labelled = group
            labelled.runtime.label = names(of: ContainerNames.owner(of: group))[id].map { BytePath($0) }
            return labelled
        }
    }

    private mutating func names(of uid: UInt32) -> [String: String] {
        if let names = known[uid] { return names }
        var names: [String: String] = [:]
        do throws(Failure) {
            let owner: ContainerOwner = uid == 0 ? .root(at: root) : try .user(uid, at: root, on: host)
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
