internal import Base
internal import Glibc
internal import Kernel

/// The containers that root's runc and crun know, believed only for a process with that pid and start time (RT8).
struct OCIContainers {
    /// Where the files of containers lie; `/` but for tests.
    let root: BytePath

    /// Runtime and id by the first process of each container. What is not there, is not root's alone, or is not of the
    /// known form is left out: the session is then listed by its cgroup.
    func read() -> [ProcessPin: SessionSorting.KnownContainer] {
        var found: [ProcessPin: SessionSorting.KnownContainer] = [:]
        for runtime in OCIContainer.Runtime.allCases {
            for id in ids(of: runtime) {
                guard let pin = first(of: id, runtime) else { continue }
                found[pin] = SessionSorting.KnownContainer(kind: runtime.kind, id: BytePath(id))
            }
        }
        return found
    }

    private func ids(of runtime: OCIContainer.Runtime) -> [String] {
        let folder = root.appending("run/\(runtime.rawValue)")
        do throws(Failure) {
            let opened = try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            return try opened.subdirectories(of: folder).compactMap(\.text)
        } catch {
            return []
        }
    }

    private func first(of id: String, _ runtime: OCIContainer.Runtime) -> ProcessPin? {
        guard OCIContainer.isID(Substring(id).utf8) else { return nil }
        do throws(Failure) {
            return try ContainerState.read(id, by: runtime, of: .root(at: root))?.process
        } catch {
            return nil
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
