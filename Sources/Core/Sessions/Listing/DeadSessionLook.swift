internal import Base
internal import Kernel

/// Finds what podman, docker, runc and crun left of containers that have ended. Files are believed only of owners who may
/// speak for them (RT8), and a container is dead only when the kernel has no process in a cgroup with its id, nor the first
/// process that its state names: whoever can remove a state does not make a container dead.
struct DeadSessionLook {
    let host: Host
    let root: BytePath
    /// What runs.
    private let components: Set<BytePath>
    private let pins: Set<ProcessPin>
    private let sandboxed: Set<String>
    /// What was found so far.
    private var sessions: [DeadSession] = []
    private var known: Set<String> = []
    private(set) var failures: [Failure] = []

    init(_ host: Host, root: BytePath, among processes: [OverviewProcess], gvisor: [GVisorSandbox]) {
        self.host = host
        self.root = root
        components = processes.reduce(into: []) { found, process in
            for line in process.cgroups { found.formUnion(line.path.components) }
        }
        pins = Set(processes.map(\.pin))
        sandboxed = Set(gvisor.flatMap(\.containers))
    }

    /// All of them: the last that ended first, those of which nobody knows when at the end.
    mutating func look() -> [DeadSession] {
        attempt { look throws(Failure) in try look.podman(.root(at: look.root)) }
        attempt { look throws(Failure) in
            let (owners, slow) = try ContainerOwner.users(at: look.root, on: look.host)
            look.failures += slow
            for owner in owners { look.podman(ofUser: owner) }
        }
        attempt { look throws(Failure) in try look.docker() }
        let users = ContainerOwner.runtimeUsers(at: root, on: host)
        failures += users.failures
        for owner in [.root(at: root)] + users.owners { runtimes(owner) }
        return sessions.sorted {
            ($1.ended ?? .distantPast, $1.made ?? .distantPast, $0.id)
                < ($0.ended ?? .distantPast, $0.made ?? .distantPast, $1.id)
        }
    }

    /// What is not there is no failure.
    private mutating func attempt(_ body: (inout DeadSessionLook) throws(Failure) -> Void) {
        do throws(Failure) { try body(&self) } catch {
            if error.code != .notFound { failures.append(error) }
        }
    }

    /// A home that leads over a link or through folders of others, as those of system users do, has no storage that counts:
    /// that is told of users who have a runtime folder, without which podman runs nothing for them.
    private mutating func podman(ofUser owner: ContainerOwner) {
        do throws(Failure) { try podman(owner) } catch {
            let isInside = BytePath(error.subject).isAtOrBelow(owner.storage.parent.parent.parent)
            if error.code != .notFound, isInside || owner.hasRuntimeFolder { failures.append(error) }
        }
    }

    private mutating func podman(_ owner: ContainerOwner) throws(Failure) {
        let store = ContainerStore(owner: owner)
        var ended: [StoredContainer] = []
        for container in try store.containers() where !runs(container.id, ContainerLookup.components(container.id)) {
            if !isAlive(container.id, owner) { ended.append(container) }
        }
        let (endings, unread) = PodmanEndings(owner: owner).endings(of: Set(ended.map(\.id)))
        failures += unread
        for container in ended {
            let place = (owner.user.map { "\($0)/" } ?? "") + container.id
            guard let name = ContainerName(parsing: BytePath(place)), known.insert(container.id).inserted else {
                continue
            }
            let ending = endings[container.id]
            let isConfigured = try store.wasStarted(container.id)
            sessions.append(
                DeadSession(
                    locator: .podman(name),
                    runtime: .podman,
                    id: BytePath(container.id),
                    names: container.names.map { BytePath($0) },
                    uid: owner.uid ?? 0,
                    wasStarted: isConfigured || ending != nil,
                    made: container.made,
                    ended: ending?.at,
                    exitStatus: ending?.status,
                    files: files(of: container, in: store)
                )
            )
        }
    }

    private mutating func files(of container: StoredContainer, in store: ContainerStore) -> BytePath? {
        guard let upper = container.upper else { return nil }
        do throws(Failure) {
            return try store.hasFolder(upper.parent) ? upper : nil
        } catch {
            failures.append(error)
            return nil
        }
    }

    /// A user's container may stand in no cgroup of its own: then its state names its first process.
    private mutating func isAlive(_ id: String, _ owner: ContainerOwner) -> Bool {
        do throws(Failure) {
            return try ContainerState.read(id, of: owner).map { pins.contains($0.process) } ?? false
        } catch {
            failures.append(error)
            return false
        }
    }

    private mutating func docker() throws(Failure) {
        let store = try DockerStore(root: root)
        let containers = try store.readable()
        failures += containers.failures
        for container in containers.found where !runs(container.id, DockerLookup.components(container.id)) {
            guard let name = ContainerName(parsing: BytePath(container.id)), known.insert(container.id).inserted else {
                continue
            }
            var upper: BytePath?
            do throws(Failure) { upper = try store.upper(of: container) } catch { failures.append(error) }
            sessions.append(
                DeadSession(
                    locator: .docker(name),
                    runtime: .docker,
                    id: BytePath(container.id),
                    names: container.name.isEmpty ? [] : [BytePath(container.name)],
                    uid: 0,
                    wasStarted: container.wasStarted,
                    made: container.made,
                    ended: container.ended,
                    exitStatus: container.exitStatus,
                    files: upper
                )
            )
        }
    }

    /// Those that runc and crun themselves have a state of.
    private mutating func runtimes(_ owner: ContainerOwner) {
        let states = OCIContainers.states(of: owner)
        failures += states.failures
        for (container, state) in states.found where !pins.contains(state.process) {
            // podman and docker leave such a state when they are stopped in the middle.
            guard !known.contains(container.id), known.insert("\(Locator.oci(container))").inserted else { continue }
            sessions.append(
                DeadSession(
                    locator: .oci(container),
                    runtime: container.runtime.kind,
                    id: BytePath(container.id),
                    names: [],
                    uid: owner.uid ?? 0,
                    wasStarted: true,
                    made: state.made,
                    ended: nil,
                    exitStatus: nil,
                    files: state.rootfs
                )
            )
        }
    }

    private func runs(_ id: String, _ names: Set<BytePath>) -> Bool {
        sandboxed.contains(id) || !components.isDisjoint(with: names)
    }
}

extension Instant {
    /// Before every other.
    fileprivate static let distantPast = Instant(nanoseconds: .min)
}
