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

    /// Runtime, id and cgroups by the first process of each container. What is not there, is not its owner's alone, or is
    /// not of the known form is left out: the session is then listed by its cgroup.
    func read() -> [ProcessPin: SessionSorting.KnownContainer] {
        var found: [ProcessPin: SessionSorting.KnownContainer] = [:]
        for owner in [.root(at: root)] + ContainerOwner.runtimeUsers(at: root, on: host) {
            for (container, state) in OCIContainers.states(of: owner) {
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

    /// What the runtimes have written about the containers of an owner.
    static func states(of owner: ContainerOwner) -> [(OCIContainer, ContainerState)] {
        var found: [(OCIContainer, ContainerState)] = []
        for runtime in OCIContainer.Runtime.allCases {
            for id in folders(in: owner.states.appending(runtime.rawValue)) {
                let place = (owner.user.map { "\($0)/" } ?? "") + id
                guard let container = OCIContainer(parsing: BytePath(place), of: runtime) else { continue }
                do throws(Failure) {
                    guard let state = try ContainerState.read(id, by: runtime, of: owner) else { continue }
                    found.append((container, state))
                } catch { continue }
            }
        }
        return found
    }

    /// A user's runtime speaks for processes with that uid, or with a parent that has it.
    private func mayBe(_ pin: ProcessPin, _ owner: ContainerOwner) -> Bool {
        guard let uid = owner.uid else { return true }
        guard let parent = ProcessScanner(host).namedStat(of: pin.pid)?.numbers.parent else { return false }
        return [pin.pid, parent].contains { pid in
            do throws(Failure) {
                return pid > 1 ? try ProcessDirectory(pid, on: host).status().uids.first == uid : false
            } catch {
                return false
            }
        }
    }

    private func docker() -> [(String, ContainerState)] {
        var found: [(String, ContainerState)] = []
        do throws(Failure) {
            let store = try DockerStore(root: root)
            for container in try store.containers() {
                if let state = try store.runtimeState(of: container) { found.append((container.id, state)) }
            }
        } catch {
            // Docker's containers are listed by their cgroups, too; what cannot be read is told with the dead ones.
            return found
        }
        return found
    }

    private static func folders(in folder: BytePath) -> [String] {
        do throws(Failure) {
            let opened = try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            return try opened.subdirectories(of: folder).compactMap(\.text)
        } catch {
            return []
        }
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
