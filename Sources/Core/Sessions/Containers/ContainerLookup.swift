import Base
import Kernel

/// Finds a container of podman by its name or id, in the files that podman and its runtime left, and believes them only
/// as far as the kernel says the same: pid, start time and cgroup (RT8). Connects to nothing, starts nothing (RT13).
struct ContainerLookup {
    let host: Host
    let root: BytePath

    /// The one running container of that name, or of which that is the id or its beginning. Whoever may make containers
    /// gives them names, the beginning of another one's id as well: a name and an id that both fit are two (RT35). What has
    /// the length of a whole id is an id and never a name.
    ///
    /// - Throws: `notFound` when there is none or it does not run, `ambiguous` when several ids begin so, `refused` when
    ///   its state says what the kernel does not, `malformed` when files have an unknown form.
    func find(_ name: ContainerName, for verb: String) throws(Failure) -> FoundContainer {
        let owner = try owner(of: name)
        let matches = try matches(of: name, in: ContainerStore(owner: owner))
        guard let match = matches.first else {
            throw Failure(
                .notFound,
                "find the container",
                on: name.argument,
                because: "\(owner.words) has no container of that "
                    + (ContainerStore.isID(name.name) ? "id" : "name or id"),
                hint: "quell"
            )
        }
        guard matches.count == 1 else { throw ambiguous(name, matches, verb) }
        return try confirm(match.id, name, owner, verb)
    }

    /// Which ids have it as their name and which begin with it; the commands have whole ids, which never are names.
    private func ambiguous(_ name: ContainerName, _ matches: [StoredContainer], _ verb: String) -> Failure {
        let named = matches.filter { $0.isNamed(name.name) }
        var reason = "\(matches.count) containers have that name or id"
        if !named.isEmpty {
            let others = matches.filter { !$0.isNamed(name.name) }
            reason += "; by name: \(named.map(\.id).joined(separator: ", "))"
            if !others.isEmpty { reason += "; by the beginning of the id: \(others.map(\.id).joined(separator: ", "))" }
        }
        let prefix = name.user.map { "\($0)/" } ?? ""
        return Failure(
            .ambiguous,
            "find the container",
            on: name.argument,
            because: reason,
            hint: matches.map { "quell \(verb) podman:\(prefix)\($0.id)" }.joined(separator: "\n")
        )
    }

    /// Whether a container of root's has exactly that name, or that id or 12 digits or more of it. Where the storage cannot
    /// be read there is none that could be named.
    func hasContainer(_ name: ContainerName) throws(Failure) -> Bool {
        do throws(Failure) {
            let found = try matches(of: name, in: ContainerStore(owner: .root(at: root)))
            return found.contains { $0.isNamed(name.name) || name.name.utf8.count >= 12 }
        } catch {
            guard error.code == .notFound || error.code == .notPermitted else { throw error }
            return false
        }
    }

    private func owner(of name: ContainerName) throws(Failure) -> ContainerOwner {
        guard let user = name.user else { return .root(at: root) }
        return try .user(user, at: root, on: host)
    }

    private func matches(of name: ContainerName, in store: ContainerStore) throws(Failure) -> [StoredContainer] {
        let all = try store.containers()
        if ContainerStore.isID(name.name) { return all.filter { $0.id == name.name } }
        return all.filter { $0.isNamed(name.name) || name.isIDPrefix && $0.id.hasPrefix(name.name) }
    }

    private func confirm(
        _ id: String,
        _ name: ContainerName,
        _ owner: ContainerOwner,
        _ verb: String
    ) throws(Failure) -> FoundContainer {
        let confirmation = ContainerConfirmation(
            host: host,
            owner: owner,
            argument: name.argument,
            next: "quell sessions show podman:\(name.user.map { "\($0)/" } ?? "")\(id)"
        )
        if let state = try ContainerState.read(id, of: owner) {
            let known = state.cgroups.compactMap { ContainerLookup.home(id, in: $0) }
            return .running(
                try confirmation.confirm(id, state) { path in
                    guard let home = ContainerLookup.home(id, in: path),
                        known.contains(where: { ContainerLookup.ends($0, with: home) })
                    else { return nil }
                    return home
                }
            )
        }
        // Only root's states of runsc are believed.
        if owner.uid == nil, let sandbox = GVisorLookup(on: host, root: root).container(id) { return sandbox }
        if let stranded = try confirmation.stranded(ContainerLookup.components(id), verb) { throw stranded }
        let wasStarted = try ContainerStore(owner: owner).wasStarted(id)
        throw confirmation.notRunning(wasStarted ? "it has exited" : "it was made and never started")
    }

    /// What a component of a cgroup path is called that is a container's.
    static func components(_ id: String) -> Set<BytePath> {
        [BytePath("libpod-\(id)"), BytePath("libpod-\(id).scope")]
    }

    /// The part of a cgroup path up to the component that carries the id: `/libpod_parent/libpod-ID`, or
    /// `/machine.slice/libpod-ID.scope`, above what the container made below it.
    static func home(_ id: String, in path: BytePath) -> BytePath? {
        let names = components(id)
        var bytes: [UInt8] = []
        for component in path.components {
            bytes += [UInt8(ascii: "/")] + component.bytes
            if names.contains(component) { return BytePath(bytes) }
        }
        return nil
    }

    /// Whether a path of the state, which has the mount point in front, is about that path.
    static func ends(_ path: BytePath, with home: BytePath) -> Bool {
        path.bytes.count >= home.bytes.count && path.bytes.suffix(home.bytes.count).elementsEqual(home.bytes)
    }
}
