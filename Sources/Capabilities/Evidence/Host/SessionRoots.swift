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
    /// What of the session's own is there and is not taken, in words.
    public var lacking: [String] = []

    /// How many processes are asked, and how many mounts are archived, at most.
    static let mostProcesses = 64
    static let mostMounts = 64
    /// Names of processes that are told one by one when they could not be looked at.
    static let mostTold = 16
    /// Quell's own folder, which is no evidence.
    let store: BytePath?
    /// The folders of the host's that are archived anyway.
    let known: [BytePath]
    /// Whom the processes of the session run as.
    var users = SessionUsers()
    /// The mounts that are archived, with what lies on them, by mount namespace and id.
    var taken: Set<TakenMount> = []
    /// Roots that are archived, and folders.
    var archived: Set<FileIdentity> = []

    /// Those of a session that runs, by its processes, the first one first: processes of one session may have different
    /// roots and mount namespaces. What lies below `known`, folders of the host's, is archived anyway; `store` is Quell's
    /// own folder, which is no evidence.
    public init(
        of processes: [ProcessPin],
        container: ContainerFiles?,
        on host: Host,
        known: [BytePath] = [],
        store: BytePath? = nil
    ) {
        self.known = known
        self.store = store
        var grounds: [ProcessPin: SessionGround] = [:]
        var problems: [ProcessPin: Failure] = [:]
        for pin in processes {
            do throws(Failure) {
                let ground = try SessionGround(pin, host)
                users.add(ground.status)
                grounds[pin] = ground
            } catch {
                problems[pin] = error
            }
        }
        var roots: Set<FileIdentity> = []
        var looks: [UInt64: SessionLook] = [:]
        var count = 0
        for pin in processes {
            guard let ground = grounds[pin], !ground.isKnown(roots, looks) else { continue }
            do throws(Failure) {
                count += 1
                guard count <= SessionRoots.mostProcesses else { throw SessionRoots.tooMany(pin) }
                let look = try SessionLook(pin, host)
                if roots.insert(look.root.node.facts.identity).inserted { takeRoot(look, container) }
                if let space = look.space, looks[space] == nil {
                    looks[space] = look
                    takeMounts(look, container)
                }
            } catch {
                problems[pin] = error
            }
        }
        // A process that has ended has neither root nor mounts, and what one hides another may have shown.
        let lost = processes.compactMap { pin -> (ProcessPin, Failure)? in
            guard let failure = problems[pin], !(grounds[pin]?.isKnown(roots, looks) ?? false), !pin.hasEnded(on: host)
            else { return nil }
            return (pin, failure)
        }
        trees += PlannedTree.lost("process", lost, most: SessionRoots.mostTold, role: .mount)
        takeWorks(processes.compactMap { pin in grounds[pin].flatMap { SessionWork(pin, $0) } }, looks)
        if changes == nil, container != nil, let problem = processes.lazy.compactMap({ problems[$0] }).first {
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
        known = []
        store = nil
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

    private mutating func takeRoot(_ look: SessionLook, _ container: ContainerFiles?) {
        guard look.root.node.facts.identity != look.ours.node.facts.identity else { return }
        let objection: String
        do throws(Failure) {
            let identity = try SessionRoots.verify(container, is: look)
            if let upper = container?.upper {
                archived.insert(look.root.node.facts.identity)
                return take(upper, identity, container ?? ContainerFiles(runtime: .process, id: ""))
            }
            objection = "its runtime keeps no upper layer"
        } catch {
            objection = error.reason
        }
        if changes == nil { changes = .notPossible("there is no verified upper layer: \(objection)") }
        let count = trees.count { $0.role == .root }
        var tree = PlannedTree(name: count == 0 ? "root" : "root-\(count + 1)", path: BytePath("/"), role: .root)
        tree.inside = look.leader
        tree.remark = "the merged view through the root of process \(look.leader.pid): \(objection)"
        if let reason = refusal(of: look, container) {
            tree.lost = Failure(.refused, "take the root of the session", on: "\(look.leader.pid)", because: reason)
        } else {
            archived.insert(look.root.node.facts.identity)
        }
        trees.append(tree)
    }

    /// Why a root is not taken as the session sees it; `nil` when it is: it is the session's own, or the whole of an
    /// overlay, or the folder that files of root's name, or a folder of the host's that can be one session's. Any other
    /// directory of the host's file systems may hold anybody's files, whatever made it the root (RT24).
    private func refusal(of look: SessionLook, _ container: ContainerFiles?) -> String? {
        if let objection = look.objection(to: BytePath("/")) { return objection }
        if look.isOwn(look.root.node.facts) || SessionRoots.isCopy(look.root, container) { return nil }
        if look.isOverlay, look.rootMount?.root == BytePath("/"), look.rootMount?.mountPoint == BytePath("/") {
            return nil
        }
        guard let source = look.rootSource else { return "its root is a directory of a file system of the host's" }
        let objection = SessionFolder.objection(to: source, store: store) ?? users.objection(to: look.root.node.facts)
        return objection.map { "its root is \(source), a directory of a file system of the host's: \($0)" }
    }

    /// Whether the layer that files name is the one that the session's root is mounted from, by what the kernel says: the
    /// overlay that stands beside the layer is the session's root, by device and inode, and it has the inode of the layer,
    /// which it takes from it (Documentation/filesystems/overlayfs.rst, "Inode properties").
    private static func verify(_ container: ContainerFiles?, is look: SessionLook) throws(Failure) -> FileIdentity {
        let root = look.root
        func refused(_ reason: String) -> Failure {
            Failure(.refused, "verify the upper layer", on: "the session", because: reason)
        }
        guard look.isOverlay else { throw refused("its root is no overlay") }
        guard let container else { throw refused("no file of root's names its layer") }
        guard let layer = container.layer, let upper = container.upper else { throw refused(noLayer(container)) }
        let merged = layer.appending("merged")
        let mounted = try FileNode.at(merged)
        guard look.hostMounts.entries.last(where: { $0.mountPoint == merged })?.type == "overlay",
            mounted.facts.identity == root.node.facts.identity
        else {
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
}
