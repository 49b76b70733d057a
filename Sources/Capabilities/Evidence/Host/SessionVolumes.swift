import Base
import Kernel
import Sessions

/// A mount of a mount namespace, by id.
struct TakenMount: Hashable, Sendable {
    let space: UInt64?
    let id: Int32
}

/// A working directory of a process that has mounts of its own.
struct SessionWork {
    let pin: ProcessPin
    let root: FileIdentity
    let space: UInt64?
    let path: BytePath
    let facts: FileFacts

    /// `nil` for a process without one, and when it has no name any more: then nothing can lie in it.
    init?(_ pin: ProcessPin, _ ground: SessionGround) {
        guard let folder = ground.folder, folder.facts.links > 0 else { return nil }
        self.pin = pin
        root = ground.root
        space = ground.space
        path = folder.path
        facts = folder.facts
    }

}

/// What a session was given of the host's file systems: volumes, bind mounts, and where it works.
extension SessionRoots {
    /// File systems of the kernel's own, in which no files lie.
    static let kernels: Set<String> = [
        "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "devtmpfs", "debugfs", "tracefs", "securityfs", "bpf",
        "pstore", "hugetlbfs", "binfmt_misc", "fusectl", "configfs", "efivarfs", "nsfs", "selinuxfs", "rpc_pipefs",
    ]
    private static let places = ["/proc", "/sys", "/dev"]

    /// Takes the mounts of the session's own, and of the host's those that it was given to write.
    mutating func takeMounts(_ look: SessionLook, _ container: ContainerFiles?) {
        guard look.hasOwnMounts else { return }
        var leftOut = 0
        for mount in look.mounts.entries where mount.mountPoint != BytePath("/") {
            if ["proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"].contains(mount.type) { continue }
            if ["/proc", "/sys"].contains(where: { mount.mountPoint.isAtOrBelow(BytePath($0)) }) { continue }
            guard trees.count(where: { [.mount, .workspace].contains($0.role) }) < SessionRoots.mostMounts else {
                leftOut += 1
                continue
            }
            if look.isOwn(mount, container?.id) {
                takeOwn(mount, look)
            } else {
                takeGiven(mount, look, container)
            }
        }
        guard leftOut > 0 else { return }
        let failure = Failure(
            .refused,
            "take the mounts of the session",
            on: "\(look.leader.pid)",
            because:
                "the session has more than \(SessionRoots.mostMounts) mounts to take: \(leftOut) more are not looked at"
        )
        trees.append(.lost(name("mounts-left-out"), because: failure))
    }

    private mutating func takeOwn(_ mount: Mount, _ look: SessionLook) {
        var tree = PlannedTree(name: name("mount"), path: mount.mountPoint, role: .mount)
        tree.inside = look.leader
        do throws(Failure) {
            guard ["tmpfs", "ramfs", "overlay"].contains(mount.type) else {
                let reason = "a file system of its own of the type \(mount.type) is not read"
                throw Failure(.refused, "take a mount", on: "\(mount.mountPoint)", because: reason)
            }
            let facts = try look.facts(of: mount)
            guard facts.kind == .directory else {
                let reason = "it is a \(facts.kind.rawValue) on a \(mount.type) of its own"
                throw Failure(.refused, "take a mount", on: "\(mount.mountPoint)", because: reason)
            }
            tree.identity = facts.identity
            tree.remark = "a \(mount.type) of the session's own, through the root of process \(look.leader.pid)"
        } catch {
            tree.lost = error
        }
        taken.insert(TakenMount(space: look.space, id: mount.id))
        trees.append(tree)
    }

    /// A directory of the host's that is mounted into the session so that it can write there is the session's, unless it
    /// is the host's own: a place of the system, of everybody, or one that every mount namespace begins with.
    private mutating func takeGiven(_ mount: Mount, _ look: SessionLook, _ container: ContainerFiles?) {
        let source = look.source(of: mount)
        var volume = PlannedVolume(mount: mount, source: source)
        defer { volumes.append(volume) }
        if let reason = untouched(mount, source, look) {
            volume.leftOut = reason
            if known.contains(where: { source?.isAtOrBelow($0) ?? false }) {
                taken.insert(TakenMount(space: look.space, id: mount.id))
            }
            return
        }
        var tree = PlannedTree(name: name("volume"), path: mount.mountPoint, role: .workspace)
        tree.inside = look.leader
        tree.remark = "mounted from the host through the root of process \(look.leader.pid)"
        do throws(Failure) {
            let facts = try look.facts(of: mount)
            guard facts.kind == .directory else {
                volume.leftOut = "it is a \(facts.kind.rawValue)"
                guard facts.kind == .file, !SessionRoots.isOfRuntime(mount, source, container) else { return }
                lacking.append("\(mount.mountPoint), a file that is mounted into the session, is not taken")
                return
            }
            if let objection = users.objection(to: facts) {
                volume.leftOut = objection
                guard facts.mode & 0o022 != 0 else { return }
                lacking.append(
                    "\(mount.mountPoint), mounted into the session from the host, is not taken: \(objection)"
                )
                return
            }
            guard archived.insert(facts.identity).inserted else {
                volume.leftOut = "the same directory is taken elsewhere"
                taken.insert(TakenMount(space: look.space, id: mount.id))
                return
            }
            tree.identity = facts.identity
        } catch {
            tree.lost = error
        }
        volume.tree = tree.name
        taken.insert(TakenMount(space: look.space, id: mount.id))
        trees.append(tree)
    }

    /// Why a mount of the host's is told and no more; `nil` when it is the session's.
    private func untouched(_ mount: Mount, _ source: BytePath?, _ look: SessionLook) -> String? {
        let isKernels = SessionRoots.kernels.contains(mount.type)
        if isKernels || SessionRoots.places.contains(where: { mount.mountPoint.isAtOrBelow(BytePath($0)) }) {
            return "a place of the kernel's"
        }
        if mount.options.contains("ro") || mount.superOptions.contains("ro") { return "the session cannot write it" }
        if look.isShared(mount) { return "the host has it at the same place, and others use it" }
        if known.contains(where: { source?.isAtOrBelow($0) ?? false }) { return "it is taken with the workspace" }
        return source.flatMap { SessionFolder.objection(to: $0, store: store) }
    }

    /// Whether it is one of the files that container runtimes make for every container.
    private static func isOfRuntime(_ mount: Mount, _ source: BytePath?, _ container: ContainerFiles?) -> Bool {
        if Overmounts.isOfRuntime(mount) { return true }
        guard let container, !container.id.isEmpty else { return false }
        return source?.components.contains(BytePath(container.id)) ?? false
    }

    /// Takes where processes work that is not archived by now: in `--bind / /` no mount tells which folder is theirs.
    mutating func takeWorks(_ works: [SessionWork], _ looks: [UInt64: SessionLook]) {
        var leftOut = 0
        var seen: Set<FileIdentity> = []
        for work in works where seen.insert(work.facts.identity).inserted {
            guard let space = work.space, let look = looks[space], look.hasOwnMounts else { continue }
            guard !archived.contains(work.facts.identity), let reason = take(work, look) else { continue }
            // One for each of many folders would hide what else is lacking.
            guard lacking.count < SessionRoots.mostTold else {
                leftOut += 1
                continue
            }
            lacking.append("\(work.path), where process \(work.pin.pid) works, is not taken: \(reason)")
        }
        if leftOut > 0 { lacking.append("\(leftOut) more folders where processes work are not taken") }
    }

    /// Why a folder is not taken; `nil` when it is, or when nothing of the session's can lie there.
    private mutating func take(_ work: SessionWork, _ look: SessionLook) -> String? {
        guard let mount = look.mount(of: work.facts) else { return "its mount is not in the table of its process" }
        if taken.contains(TakenMount(space: look.space, id: mount.id)) { return nil }
        if mount.mountPoint == BytePath("/"), archived.contains(work.root) { return nil }
        if mount.options.contains("ro") || mount.superOptions.contains("ro") { return nil }
        let kernels = SessionRoots.kernels.contains(mount.type)
        if kernels || SessionRoots.places.contains(where: { work.path.isAtOrBelow(BytePath($0)) }) { return nil }
        guard let source = look.source(of: work.path, on: mount) else { return "nobody tells where the host has it" }
        // Nothing is anybody's own in the root of the host.
        if source.components.isEmpty { return nil }
        if known.contains(where: { source.isAtOrBelow($0) }) { return nil }
        let objection = SessionFolder.objection(to: source, store: store) ?? users.objection(to: work.facts)
        if let objection { return objection }
        guard trees.count(where: { $0.role == .workspace }) < SessionRoots.mostMounts else {
            return "more than \(SessionRoots.mostMounts) folders are taken"
        }
        var tree = PlannedTree(name: name("work"), path: work.path, role: .workspace)
        tree.inside = work.pin
        tree.identity = work.facts.identity
        tree.remark = "where process \(work.pin.pid) works"
        if let objection = look.objection(to: work.path) {
            tree.lost = Failure(.refused, "look at a place of the session's", on: "\(work.path)", because: objection)
        }
        archived.insert(work.facts.identity)
        trees.append(tree)
        return nil
    }

    /// `stem`, or with a number behind it when there is one of that name.
    private func name(_ stem: String) -> String {
        let count = trees.count { $0.name == stem || $0.name.hasPrefix(stem + "-") }
        return count == 0 ? stem : "\(stem)-\(count + 1)"
    }
}
