import Base
import Kernel

/// Finds a container of docker by its name or id, in the files that docker and its runtime left, and believes them only as
/// far as the kernel says the same: pid, start time and cgroup (RT8). Connects to nothing, starts nothing (RT13).
struct DockerLookup {
    let host: Host
    let root: BytePath

    /// The one running container of that name, or of which that is the id or its beginning. A name and an id that both fit
    /// are two, and what has the length of a whole id is never a name (RT35).
    ///
    /// - Throws: `notFound` when there is none or it does not run, `ambiguous` when several ids begin so, `refused` when
    ///   its state says what the kernel does not, `malformed` when files have an unknown form.
    func find(_ name: ContainerName, for verb: String) throws(Failure) -> FoundContainer {
        let store = try DockerStore(root: root)
        let matches = DockerLookup.matches(of: name, in: try store.containers())
        guard let match = matches.first else {
            throw Failure(
                .notFound,
                "find the container",
                on: name.argument,
                because: "docker has no container of that name or id",
                hint: "quell sessions"
            )
        }
        guard matches.count == 1 else {
            throw Failure(
                .ambiguous,
                "find the container",
                on: name.argument,
                because: "\(matches.count) containers have that name or id",
                hint: matches.map { "quell \(verb) docker:\($0.id)" }.joined(separator: "\n")
            )
        }
        return try confirm(match, name, store, verb)
    }

    /// Whether docker has exactly that name, or that id or 12 digits or more of it. Where its files cannot be read there is
    /// none that could be named.
    func hasContainer(_ name: ContainerName) throws(Failure) -> Bool {
        do throws(Failure) {
            let found = DockerLookup.matches(of: name, in: try DockerStore(root: root).containers())
            return found.contains { $0.name == name.name || name.name.utf8.count >= 12 }
        } catch {
            guard error.code == .notFound || error.code == .notPermitted else { throw error }
            return false
        }
    }

    private static func matches(of name: ContainerName, in all: [DockerContainer]) -> [DockerContainer] {
        if ContainerStore.isID(name.name) { return all.filter { $0.id == name.name } }
        return all.filter {
            $0.name.utf8.elementsEqual(name.name.utf8) || name.isIDPrefix && $0.id.hasPrefix(name.name)
        }
    }

    private func confirm(
        _ container: DockerContainer,
        _ name: ContainerName,
        _ store: DockerStore,
        _ verb: String
    ) throws(Failure) -> FoundContainer {
        let id = container.id
        let confirmation = ContainerConfirmation(
            host: host,
            owner: .root(at: root),
            argument: name.argument,
            next: "quell sessions show docker:\(id)"
        )
        if let state = try store.runtimeState(of: container) {
            // Docker may be told to put its containers below any cgroup: the last component is the id all the same.
            let known = state.cgroups.compactMap { DockerLookup.home(id, in: $0) }
            return .running(
                try confirmation.confirm(id, state) { path in
                    guard let home = DockerLookup.home(id, in: path),
                        known.contains(where: { ContainerLookup.ends($0, with: home) })
                    else { return nil }
                    return home
                }
            )
        }
        if let sandbox = GVisorLookup(on: host, root: root).container(id) { return sandbox }
        if let stranded = try confirmation.stranded(DockerLookup.components(id), verb) { throw stranded }
        guard container.wasStarted else { throw confirmation.notRunning("it was made and never started") }
        throw confirmation.notRunning(container.isRunning ? "its runtime keeps no state of it" : "it has exited")
    }

    /// What a component of a cgroup path is called that is a container's.
    static func components(_ id: String) -> Set<BytePath> { [BytePath(id), BytePath("docker-\(id).scope")] }

    /// The part of a cgroup path up to the component that carries the id: `/docker/ID`, or `/system.slice/docker-ID.scope`.
    static func home(_ id: String, in path: BytePath) -> BytePath? {
        var bytes: [UInt8] = []
        for component in path.components {
            bytes += [UInt8(ascii: "/")] + component.bytes
            if components(id).contains(component) { return BytePath(bytes) }
        }
        return nil
    }
}
