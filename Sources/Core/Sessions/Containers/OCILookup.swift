import Base
import Documents
import Kernel

/// Finds a container of runc or crun by its id, in the state that the runtime left, and believes it only as far as the
/// kernel says the same (RT8). Connects to nothing, starts nothing (RT13).
struct OCILookup {
    let host: Host
    let root: BytePath

    /// The one running container of that id.
    ///
    /// - Throws: `notFound` when there is none, it has ended or is half made, `refused` when its state says what the kernel
    ///   does not or others can write it, `malformed` when the state has an unknown form.
    func find(_ container: OCIContainer) throws(Failure) -> RunningContainer {
        let owner = try owner(of: container)
        guard let state = try ContainerState.read(container.id, by: container.runtime, of: owner) else {
            throw try absent(container, owner)
        }
        let confirmation = ContainerConfirmation(
            host: host,
            owner: owner,
            argument: container.argument,
            next: "quell sessions" + (container.isPrintable ? " show \(Locator.oci(container))" : "")
        )
        return try confirmation.confirm(container.id, state) { OCILookup.home(of: $0, in: state) }
    }

    /// Whether root's runc has a container of that id, running or not. Where that cannot be read there is none that could
    /// be named.
    func hasContainer(_ container: OCIContainer) throws(Failure) -> Bool {
        do throws(Failure) {
            return try ContainerState.read(container.id, by: container.runtime, of: try owner(of: container)) != nil
        } catch {
            guard error.code == .notFound || error.code == .notPermitted else { throw error }
            return false
        }
    }

    private func owner(of container: OCIContainer) throws(Failure) -> ContainerOwner {
        guard let user = container.user else { return .root(at: root) }
        return try .user(user, at: root, on: host, withHome: false)
    }

    /// The longest beginning of a path that a path of the state, which has the mount point in front, ends with; a runtime
    /// inside may have made groups below it.
    static func home(of path: BytePath, in state: ContainerState) -> BytePath? {
        var beginning = path
        while !beginning.components.isEmpty {
            if state.cgroups.contains(where: { ContainerLookup.ends($0, with: beginning) }) { return beginning }
            beginning = beginning.parent
        }
        return nil
    }

    /// Why there is no state: nothing of the runtime, nothing of that id, or a folder that is being made or removed.
    private func absent(_ container: OCIContainer, _ owner: ContainerOwner) throws(Failure) -> Failure {
        let runtime = container.runtime.rawValue
        let all = owner.states.appending(runtime)
        func failure(_ reason: String, _ hint: String?) -> Failure {
            Failure(.notFound, "find the container", on: container.argument, because: reason, hint: hint)
        }
        guard try exists(all, owner) else {
            let user = owner.uid == nil ? "for a user's containers write \(runtime):USER/ID" : nil
            return failure("\(owner.words) has no containers of \(runtime) on this machine", user)
        }
        guard try exists(all.appending(container.id), owner) else {
            return failure("\(runtime) has no container of that id for \(owner.words)", "quell sessions")
        }
        return failure(
            "it is half made or half removed: \(runtime) has a folder for it and no state in it",
            "name it by the pid of one of its processes, if it has any: quell freeze pid:N"
        )
    }

    private func exists(_ folder: BytePath, _ owner: ContainerOwner) throws(Failure) -> Bool {
        do throws(Failure) {
            _ = try TrustedFile.names(in: folder, owners: owner.writers, to: "look for the container")
            return true
        } catch {
            guard error.code == .notFound else { throw error }
            return false
        }
    }
}
