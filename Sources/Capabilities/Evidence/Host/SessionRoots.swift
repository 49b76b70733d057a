public import Base
import Glibc
public import Kernel
public import Sessions

/// The file systems that are a session's own: what it wrote over its image, or else its root as it sees it, and the mounts
/// that nobody else has.
///
/// What a mount table says is text that whoever mounted it chose (RT10): paths in it are never opened on the host. An upper
/// layer is one because files of root's name it, and because the overlay that is mounted beside it, where only root can
/// mount, is the very root of the session, by device and inode, which the kernel tells.
public struct SessionRoots: Sendable {
    /// Roots to archive.
    public var trees: [PlannedTree] = []
    /// How it is told what changed; `nil` for a session that has the root of the host.
    public var changes: PlannedChanges?
    /// What is mounted into it from elsewhere.
    public var volumes: [PlannedVolume] = []

    /// How many processes are asked, and how many mounts are archived, at most.
    static let mostProcesses = 64
    static let mostMounts = 64
    private static let overlay: UInt64 = 0x794c_7630

    /// Those of a session that runs, by its processes, the first one first: processes of one session may have different
    /// roots and mount namespaces.
    public init(of processes: [ProcessPin], container: ContainerFiles?, on host: Host) {
        var roots: Set<FileIdentity> = []
        var spaces: Set<UInt64> = []
        var problem: Failure?
        var unseen: [(pin: ProcessPin, ground: Ground?, failure: Failure)] = []
        var looks = 0
        for pin in processes {
            var ground: Ground?
            do throws(Failure) {
                let found = try Ground(pin, host)
                ground = found
                if found.isKnown(roots, spaces) { continue }
                looks += 1
                guard looks <= SessionRoots.mostProcesses else { throw SessionRoots.tooMany(pin) }
                let look = try Look(pin, host)
                if roots.insert(look.root.node.facts.identity).inserted { takeRoot(look, container) }
                if let space = look.space, spaces.insert(space).inserted { takeMounts(look, container) }
            } catch {
                problem = problem ?? error
                unseen.append((pin, ground, error))
            }
        }
        // A process that has ended has neither root nor mounts, and what one hides another may have shown.
        for (pin, ground, failure) in unseen where !(ground?.isKnown(roots, spaces) ?? false) {
            if pin.hasEnded(on: host) { continue }
            trees.append(.lost("process-\(pin.pid)", because: failure))
        }
        if changes == nil, container != nil, let problem {
            changes = .notPossible("its root could not be looked at: \(problem.reason)")
        }
    }

    private static func tooMany(_ pin: ProcessPin) -> Failure {
        Failure(
            .refused,
            "look at the root of a process",
            on: "\(pin.pid)",
            because: "there are more than \(mostProcesses) roots and mount namespaces"
        )
    }

    /// Those of a container that has ended: nothing is mounted that could be compared, only files of root's name its layer.
    public init(ofEnded container: ContainerFiles) {
        guard let upper = container.upper else {
            changes = .notPossible(SessionRoots.noLayer(container))
            if let copy = container.layer { trees.append(PlannedTree(name: "root", path: copy, role: .root)) }
            return
        }
        take(upper, nil, container)
    }

    private mutating func take(_ upper: BytePath, _ identity: FileIdentity?, _ container: ContainerFiles) {
        var tree = PlannedTree(name: "upper", path: upper, role: .upper)
        tree.identity = identity
        trees.append(tree)
        if container.lowers.isEmpty {
            changes = .notPossible("no file names the layers below its own")
        } else {
            changes = .compare(upper: tree, lowers: container.lowers)
        }
    }

    private mutating func takeRoot(_ look: Look, _ container: ContainerFiles?) {
        guard look.root.node.facts.identity != look.ours.node.facts.identity else { return }
        let objection: String
        do throws(Failure) {
            let identity = try SessionRoots.verify(container, is: look.root)
            if let upper = container?.upper { return take(upper, identity, container ?? look.nobody) }
            objection = "its runtime keeps no upper layer"
        } catch {
            objection = error.reason
        }
        if changes == nil { changes = .notPossible("there is no verified upper layer: \(objection)") }
        // A directory of the host's own file systems may hold anybody's files, whatever made it the root (RT24).
        let isOverlay = look.root.node.filesystem() == SessionRoots.overlay && container != nil
        guard look.isOwn(look.root.node.facts) || isOverlay || SessionRoots.isCopy(look.root, container) else {
            if trees.isEmpty {
                changes = .notPossible("\(objection), and its root is a directory of a file system of the host's")
            }
            return
        }
        let count = trees.count { $0.role == .root }
        var tree = PlannedTree(name: count == 0 ? "root" : "root-\(count + 1)", path: BytePath("/"), role: .root)
        tree.inside = look.leader
        tree.remark = "the merged view through the root of process \(look.leader.pid): \(objection)"
        trees.append(tree)
    }

    /// Whether the layer that files name is the one that the session's root is mounted from, by what the kernel says: the
    /// overlay that stands beside the layer is the session's root, by device and inode, and it has the inode of the layer,
    /// which it takes from it (Documentation/filesystems/overlayfs.rst, "Inode properties").
    private static func verify(_ container: ContainerFiles?, is root: HeldFolder) throws(Failure) -> FileIdentity {
        func refused(_ reason: String) -> Failure {
            Failure(.refused, "verify the upper layer", on: "the session", because: reason)
        }
        guard root.node.filesystem() == overlay else { throw refused("its root is no overlay") }
        guard let container else { throw refused("no file of root's names its layer") }
        guard let layer = container.layer, let upper = container.upper else { throw refused(noLayer(container)) }
        let mounted = try FileNode.at(layer.appending("merged"))
        guard mounted.filesystem() == overlay, mounted.facts.identity == root.node.facts.identity else {
            throw refused("what is mounted at the layer that files name is not its root")
        }
        let found = try FileNode.at(upper).facts
        guard found.kind == .directory, found.identity.inode == root.node.facts.identity.inode else {
            throw refused("its root has not the inode of the layer that files name")
        }
        return found.identity
    }

    /// Whether the root is the folder that files of root's name, of a storage that keeps whole copies.
    private static func isCopy(_ root: HeldFolder, _ container: ContainerFiles?) -> Bool {
        guard let layer = container?.layer else { return false }
        do throws(Failure) {
            return try FileNode.at(layer).facts.identity == root.node.facts.identity
        } catch {
            return false
        }
    }

    private static func noLayer(_ container: ContainerFiles) -> String {
        container.driver.isEmpty
            ? "no file of root's names its layer" : "its storage, \(container.driver), keeps no layer of its own"
    }

    private mutating func takeMounts(_ look: Look, _ container: ContainerFiles?) {
        guard look.hasOwnMounts else { return }
        var count = trees.count { $0.role == .mount }
        for mount in look.mounts.entries where mount.mountPoint != BytePath("/") {
            let isKernels = ["/proc", "/sys"].contains { mount.mountPoint.isAtOrBelow(BytePath($0)) }
            if isKernels || ["proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"].contains(mount.type) {
                continue
            }
            guard look.isOwn(mount, container?.id) else {
                volumes.append(PlannedVolume(mount: mount, source: look.source(of: mount)))
                continue
            }
            count += 1
            var tree = PlannedTree(
                name: count == 1 ? "mount" : "mount-\(count)",
                path: mount.mountPoint,
                role: .mount
            )
            tree.inside = look.leader
            do throws(Failure) {
                tree.identity = try SessionRoots.identity(of: mount, number: count, in: look)
                tree.remark = "a \(mount.type) of the session's own, through the root of process \(look.leader.pid)"
            } catch {
                tree.lost = error
            }
            trees.append(tree)
            // The last one tells of those that follow.
            if count > SessionRoots.mostMounts { return }
        }
    }
}

extension SessionRoots {
    /// What is archived of a mount of the session's own.
    ///
    /// - Throws: why it is not taken.
    private static func identity(of mount: Mount, number: Int, in look: Look) throws(Failure) -> FileIdentity {
        func lost(_ reason: String) -> Failure {
            Failure(.refused, "take a mount of the session's own", on: "\(mount.mountPoint)", because: reason)
        }
        guard number <= mostMounts else {
            throw lost("the session has more than \(mostMounts) mounts of its own: this one and the rest are not taken")
        }
        guard ["tmpfs", "ramfs", "overlay"].contains(mount.type) else {
            throw lost("a file system of its own of the type \(mount.type) is not read")
        }
        guard let facts = look.facts(of: mount) else {
            throw lost("another mount stands over this \(mount.type), or it is no directory that could be looked at")
        }
        return facts.identity
    }
}

/// By what processes are told that see the same files.
private struct Ground {
    let root: FileIdentity
    let space: UInt64?

    init(_ pin: ProcessPin, _ host: Host) throws(Failure) {
        let process = try ProcessDirectory(pin, on: host)
        let prefix = try process.prefixOfLiving()
        root = try FileNode(prefix + "root", of: process).facts.identity
        space = try process.mountSpace(through: prefix)
    }

    func isKnown(_ roots: Set<FileIdentity>, _ spaces: Set<UInt64>) -> Bool {
        roots.contains(root) && (space.map { spaces.contains($0) } ?? false)
    }
}

/// The root and the mounts of a process, and those of Quell.
private struct Look {
    let leader: ProcessPin
    let host: Host
    let root: HeldFolder
    let ours: HeldFolder
    let mounts: MountTable
    let hasOwnMounts: Bool
    /// The mount namespace; `nil` when it cannot be told.
    let space: UInt64?
    private let hostMounts: MountTable
    private let hostDevices: Set<String>
    let nobody = ContainerFiles(runtime: .process, id: "")

    init(_ leader: ProcessPin, _ host: Host) throws(Failure) {
        self.leader = leader
        self.host = host
        let process = try ProcessDirectory(leader, on: host)
        let own = try ProcessDirectory(getpid(), on: host)
        let prefix = try process.prefixOfLiving()
        root = HeldFolder(try FileNode(prefix + "root", of: process))
        ours = HeldFolder(try FileNode.at(BytePath("/")))
        space = try process.mountSpace(through: prefix)
        hasOwnMounts = try space != own.namespace(.mount)
        let answer = try ImpatientReader().read("read the mounts", on: "\(leader.pid)") {
            () -> Result<MountTable, Failure> in
            do throws(Failure) {
                let text = try ProcessDirectory(leader, on: host).contents(prefix + "mountinfo", limit: 16 << 20)
                return .success(MountTable(parsing: text))
            } catch {
                return .failure(error)
            }
        }
        mounts = try answer.get()
        hostMounts = try own.mounts()
        hostDevices = Set(hostMounts.entries.map(\.device))
    }

    /// Whether the host has no mount of the object's file system.
    func isOwn(_ facts: FileFacts) -> Bool {
        !hostDevices.contains("\(facts.identity.device.major):\(facts.identity.device.minor)")
    }

    /// The same of a mount; what the host has only below the folder of that container is the container's.
    func isOwn(_ mount: Mount, _ id: String?) -> Bool {
        guard hostDevices.contains(mount.device) else { return true }
        guard let id, mount.type == "tmpfs" else { return false }
        return hostMounts.entries.filter { $0.device == mount.device }.allSatisfy { entry in
            entry.mountPoint.components.contains(BytePath(id))
        }
    }

    /// What the session sees at the mount point; `nil` when another mount stands over it, or it is no directory.
    func facts(of mount: Mount) -> FileFacts? {
        do throws(Failure) {
            let facts = try TreePlace(path: mount.mountPoint, inside: leader).open(on: host).node.facts
            let device = "\(facts.identity.device.major):\(facts.identity.device.minor)"
            return device == mount.device && facts.kind == .directory ? facts : nil
        } catch {
            return nil
        }
    }

    /// Where the host has the same directory, by the mount of the host's that shows most of the file system.
    func source(of mount: Mount) -> BytePath? {
        let shown = hostMounts.entries.filter { $0.device == mount.device && mount.root.isAtOrBelow($0.root) }
        guard let best = shown.min(by: { $0.root.components.count < $1.root.components.count }) else { return nil }
        let rest = mount.root.components.dropFirst(best.root.components.count)
        return rest.reduce(best.mountPoint) { $0.appending($1) }
    }
}
