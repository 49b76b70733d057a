internal import Base
internal import Documents
internal import Glibc
internal import Kernel

/// The containers that runc and crun know, root's and users', and those that docker has them run, believed only for a
/// process with that pid and start time and, of a user's, with that uid (RT8).
struct OCIContainers {
    let host: Host
    /// Where the files of containers lie; `/` but for tests.
    let root: BytePath
    /// What could not be read: a container whose state is not its owner's alone, or not of the known form, is listed by
    /// its cgroup, and that is told here. What is not there is no failure.
    private(set) var failures: [Failure] = []

    init(host: Host, root: BytePath) {
        self.host = host
        self.root = root
    }

    /// Runtime, id and cgroups by the first process of each container.
    mutating func read() -> [ProcessPin: SessionSorting.KnownContainer] {
        var found: [ProcessPin: SessionSorting.KnownContainer] = [:]
        let users = ContainerOwner.runtimeUsers(at: root, on: host)
        failures += users.failures
        for owner in [.root(at: root)] + users.owners {
            let states = OCIContainers.states(of: owner)
            failures += states.failures
            for (container, state) in states.found {
                guard found[state.process] == nil, mayBe(state.process, owner) else { continue }
                found[state.process] = SessionSorting.KnownContainer(
                    kind: container.runtime.kind,
                    id: BytePath(container.id),
                    cgroups: state.cgroups
                )
            }
        }
        for (id, state) in docker() {
            found[state.process] = SessionSorting.KnownContainer(
                kind: .docker,
                id: BytePath(id),
                cgroups: state.cgroups
            )
        }
        return found
    }

    /// What the runtimes have written about the containers of an owner, and why some of it could not be read: of which
    /// id, or `nil` when the states could not even be listed.
    struct States {
        var found: [(OCIContainer, ContainerState)] = []
        var unread: [(id: String?, failure: Failure)] = []

        var failures: [Failure] { unread.map(\.failure) }
    }

    /// Reads them all; what is not there is no failure.
    static func states(of owner: ContainerOwner) -> States {
        var states = States()
        for runtime in OCIContainer.Runtime.allCases {
            let folder = owner.states.appending(runtime.rawValue)
            var ids: [String] = []
            do throws(Failure) {
                let opened = try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                ids = try opened.subdirectories(of: folder).compactMap(\.text)
            } catch {
                if error.code != .notFound { states.unread.append((nil, error)) }
            }
            for id in ids {
                let place = (owner.user.map { "\($0)/" } ?? "") + id
                guard let container = OCIContainer(parsing: BytePath(place), of: runtime) else { continue }
                do throws(Failure) {
                    guard let state = try ContainerState.read(id, by: runtime, of: owner) else { continue }
                    states.found.append((container, state))
                } catch {
                    states.unread.append((id, error))
                }
            }
        }
        return states
    }

    /// A user's runtime speaks for processes with that uid, or with a parent that has it.
    private mutating func mayBe(_ pin: ProcessPin, _ owner: ContainerOwner) -> Bool {
        guard let uid = owner.uid else { return true }
        guard let parent = ProcessScanner(host).namedStat(of: pin.pid)?.numbers.parent else { return false }
        for pid in [pin.pid, parent] where pid > 1 {
            do throws(Failure) {
                if try ProcessDirectory(pid, on: host).status().uids.first == uid { return true }
            } catch {
                // One that has ended runs nothing.
                if error.code != .notFound { failures.append(error) }
            }
        }
        return false
    }

    /// One that cannot be read hides no other.
    private mutating func docker() -> [(String, ContainerState)] {
        var found: [(String, ContainerState)] = []
        do throws(Failure) {
            let store = try DockerStore(root: root)
            let containers = try store.readable()
            failures += containers.failures
            for container in containers.found {
                do throws(Failure) {
                    if let state = try store.runtimeState(of: container) { found.append((container.id, state)) }
                } catch {
                    failures.append(error)
                }
            }
        } catch {
            if error.code != .notFound { failures.append(error) }
        }
        return found
    }
}

extension OCIContainer.Runtime {
    /// What the runtime is called in lists.
    var kind: SessionRuntime.Kind {
        switch self {
        case .runc: .runc
        case .crun: .crun
        }
    }
}
