import Base
import Glibc
import Kernel

/// Where a process of a session stands: by what processes are told that see the same files.
struct SessionGround {
    let root: FileIdentity
    /// The mount namespace; `nil` when it cannot be told.
    let space: UInt64?
    /// The working directory, as it names it, and what the kernel tells of it; `nil` when it has none.
    let folder: (path: BytePath, facts: FileFacts)?
    /// Whom it runs as.
    let status: StatusFacts

    init(_ pin: ProcessPin, _ host: Host) throws(Failure) {
        let process = try ProcessDirectory(pin, on: host)
        let prefix = try process.prefixOfLiving()
        root = try FileNode(prefix + "root", of: process).facts.identity
        space = try process.mountSpace(through: prefix)
        status = StatusFacts(parsing: try process.whole("status", limit: ProcessReading.mostStatus))
        if let path = try process.link(prefix + "cwd") {
            folder = (path, try FileNode(prefix + "cwd", of: process).facts)
        } else {
            folder = nil
        }
    }

    func isKnown(_ roots: Set<FileIdentity>, _ looks: [UInt64: SessionLook]) -> Bool {
        roots.contains(root) && (space.map { looks[$0] != nil } ?? false)
    }
}

/// Whom the processes of a session run as: what they cannot write is not theirs, wherever they see it (RT24).
struct SessionUsers: Sendable {
    private var uids: Set<UInt32> = []
    private var gids: Set<UInt32> = []

    mutating func add(_ status: StatusFacts) {
        uids.formUnion(status.uids)
        gids.formUnion(status.gids + status.groups)
    }

    /// Why a folder is not theirs; `nil` when it is: it belongs to one of them, or to a group of theirs that may write it,
    /// or one of them is root.
    func objection(to facts: FileFacts) -> String? {
        if uids.contains(0) || uids.contains(facts.uid) { return nil }
        if gids.contains(facts.gid), facts.mode & 0o020 != 0 { return nil }
        return "it belongs to uid \(facts.uid), not to the session's user"
    }
}

/// The root and the mounts of a process, and those of Quell. Nothing is asked of a file system that somebody serves: what
/// type it is the mount table says.
struct SessionLook {
    let leader: ProcessPin
    let host: Host
    let root: HeldFolder
    let ours: HeldFolder
    let mounts: MountTable
    /// The mount that its root is on; `nil` when its table does not list it.
    let rootMount: Mount?
    let hasOwnMounts: Bool
    /// Where the host has its root; `nil` when nobody tells, or when the host's own mount is its root.
    let rootSource: BytePath?
    /// The mount namespace; `nil` when it cannot be told.
    let space: UInt64?
    /// The mounts of the host, as Quell sees them.
    let hostMounts: MountTable
    private let hostDevices: Set<String>
    private let served: ServedMounts

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
        let bytes = try ImpatientReader().ask("read the mounts", on: "\(leader.pid)") { () throws(Failure) in
            try ProcessDirectory(leader, on: host).whole(prefix + "mountinfo", limit: 64 << 20)
        }
        mounts = MountTable(parsing: bytes)
        hostMounts = MountTable(parsing: try own.whole("mountinfo", limit: 64 << 20))
        hostDevices = Set(hostMounts.entries.map(\.device))
        served = ServedMounts(mounts, ofTheHost: false)
        let rootMount = SessionLook.mount(of: root.node.facts, in: hasOwnMounts ? mounts : hostMounts)
        self.rootMount = rootMount
        if !hasOwnMounts {
            rootSource = try process.link(prefix + "root")
        } else if let rootMount, rootMount.mountPoint == BytePath("/"),
            !SessionLook.isShared(rootMount, hostMounts)
        {
            rootSource = SessionLook.source(of: rootMount, hostMounts)
        } else {
            rootSource = nil
        }
    }

    /// The mount that an object is on.
    private static func mount(of facts: FileFacts, in table: MountTable) -> Mount? {
        guard let id = facts.mount else { return table.entries.last { $0.mountPoint == BytePath("/") } }
        return table.entries.first { $0.id == Int32(truncatingIfNeeded: id) }
    }

    /// The mount of the session's that an object is on; `nil` when its table does not list it.
    func mount(of facts: FileFacts) -> Mount? { SessionLook.mount(of: facts, in: mounts) }

    /// Whether its root is an overlay.
    var isOverlay: Bool { rootMount?.type == "overlay" }

    /// Whether the host has no mount of the object's file system.
    func isOwn(_ facts: FileFacts) -> Bool {
        !hostDevices.contains("\(facts.identity.device.major):\(facts.identity.device.minor)")
    }

    /// The same of a mount; what the host has only below the folder of that container is the container's.
    func isOwn(_ mount: Mount, _ id: String?) -> Bool {
        guard hostDevices.contains(mount.device) else { return true }
        guard let id, !id.isEmpty, mount.type == "tmpfs" else { return false }
        return hostMounts.entries.filter { $0.device == mount.device }.allSatisfy { entry in
            entry.mountPoint.components.contains(BytePath(id))
        }
    }

    /// Whether the host has the very mount at the same place, as every new mount namespace begins with.
    func isShared(_ mount: Mount) -> Bool { SessionLook.isShared(mount, hostMounts) }

    private static func isShared(_ mount: Mount, _ hostMounts: MountTable) -> Bool {
        hostMounts.entries.contains { entry in
            entry.device == mount.device && entry.root == mount.root && entry.mountPoint == mount.mountPoint
        }
    }

    /// What the session sees at the mount point.
    ///
    /// - Throws: `refused` when somebody serves what lies on the way; `changed` when another mount stands over it.
    func facts(of mount: Mount) throws(Failure) -> FileFacts {
        if let objection = served.objection(to: mount.mountPoint) {
            throw Failure(.refused, "look at a mount", on: "\(mount.mountPoint)", because: objection)
        }
        let facts = try TreePlace(path: mount.mountPoint, inside: leader).open(on: host).node.facts
        guard "\(facts.identity.device.major):\(facts.identity.device.minor)" == mount.device else {
            let reason = "another mount stands over this \(mount.type)"
            throw Failure(.changed, "look at a mount", on: "\(mount.mountPoint)", because: reason)
        }
        return facts
    }

    /// Why a path of the session's is not to be touched; `nil` when it may.
    func objection(to path: BytePath) -> String? { served.objection(to: path) }

    /// Where the host has the same directory, by the mount of the host's that shows most of the file system.
    func source(of mount: Mount) -> BytePath? { SessionLook.source(of: mount, hostMounts) }

    private static func source(of mount: Mount, _ hostMounts: MountTable) -> BytePath? {
        let shown = hostMounts.entries.filter { $0.device == mount.device && mount.root.isAtOrBelow($0.root) }
        guard let best = shown.min(by: { $0.root.components.count < $1.root.components.count }) else { return nil }
        let rest = mount.root.components.dropFirst(best.root.components.count)
        return rest.reduce(best.mountPoint) { $0.appending($1) }
    }

    /// Where the host has a path of the session's that is on that mount.
    func source(of path: BytePath, on mount: Mount) -> BytePath? {
        guard path.isAtOrBelow(mount.mountPoint), let top = source(of: mount) else { return nil }
        return path.components.dropFirst(mount.mountPoint.components.count).reduce(top) { $0.appending($1) }
    }
}
