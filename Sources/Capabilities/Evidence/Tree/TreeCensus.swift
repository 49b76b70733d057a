import Base
import Kernel
import Sealing

/// A walk that reads no content: how much there is, which files have names outside the root, and a fingerprint of all
/// that statx(2) tells of every object. Two censuses with the same fingerprint, one before the first read and one after
/// the last, say that the tree stood still in between (RT28).
final class TreeCensus: TreeVisitor {
    /// How many inodes with several names are followed; files beyond that are recorded without content.
    static let mostLinked = 131_072

    private(set) var objects: UInt64 = 0
    private(set) var contentBytes: UInt64 = 0
    /// Files that by their names may hold secrets.
    private(set) var secretFiles: UInt64 = 0
    /// Names seen below the root, for regular files with more than one.
    private(set) var namesSeen: [FileIdentity: UInt32] = [:]
    /// Files with several names of which one says that they may hold secrets: then they do under each.
    private(set) var secretLinks: Set<FileIdentity> = []
    private(set) var misses: UInt64 = 0
    private(set) var wasStopped = false
    private var hasher = Hasher()
    private let mustStop: () -> Bool

    private init(_ mustStop: @escaping () -> Bool) { self.mustStop = mustStop }

    /// Counts a tree.
    ///
    /// - Throws: `notFound` and others when the root cannot be taken hold of.
    static func take(
        of tree: PlannedTree,
        on host: Host,
        stoppingWhen mustStop: @escaping () -> Bool
    ) throws(Failure) -> TreeCensus {
        let census = TreeCensus(mustStop)
        try TreeWalker(tree, on: host).walk(census)
        census.fingerprint = census.hasher.finish()
        return census
    }

    /// SHA-256 over path, identity, mode, owner, size and times of every object, in the order of the walk.
    private(set) var fingerprint: Digest?

    func visit(_ object: WalkedObject, _ node: borrowing FileNode) throws(Failure) -> Bool {
        let facts = node.facts
        objects &+= 1
        if facts.kind == .file, !object.isOnOtherMount {
            contentBytes &+= min(facts.size, facts.blocks &* 512)
            if SecretFiles.mayHold(object.path) {
                secretFiles &+= 1
                if facts.links > 1, secretLinks.count < TreeCensus.mostLinked { secretLinks.insert(facts.identity) }
            }
            if facts.links > 1, namesSeen.count < TreeCensus.mostLinked || namesSeen[facts.identity] != nil {
                namesSeen[facts.identity, default: 0] += 1
            }
        }
        mark(object.path, facts)
        wasStopped = objects.isMultiple(of: 256) && mustStop()
        return !wasStopped
    }

    func miss(_ path: BytePath, because failure: Failure) throws(Failure) -> Bool {
        misses &+= 1
        hasher.update(path.bytes + [0])
        return true
    }

    func passOver(_ path: BytePath, because reason: String) throws(Failure) {
        hasher.update(path.bytes + [0])
    }

    private func mark(_ path: BytePath, _ facts: FileFacts) {
        let numbers: [UInt64] = [
            UInt64(facts.identity.device.major), UInt64(facts.identity.device.minor), facts.identity.inode,
            UInt64(facts.mode), UInt64(facts.uid), UInt64(facts.gid), UInt64(facts.links), facts.size,
            UInt64(bitPattern: facts.modified.seconds), UInt64(facts.modified.nanoseconds),
            UInt64(bitPattern: facts.changed.seconds), UInt64(facts.changed.nanoseconds),
        ]
        hasher.update(path.bytes + [0])
        numbers.withUnsafeBytes { hasher.update($0) }
    }
}
