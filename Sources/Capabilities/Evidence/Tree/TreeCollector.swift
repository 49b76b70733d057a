import Base
import Bundles
import Glibc
import Kernel

/// Archives every object below one root: the second of three walks, after one that counts and before one that compares.
final class TreeCollector: TreeVisitor {
    /// Bytes of names and values of extended attributes that are kept of one object.
    static let attributeLimit = 256 * 1024

    private let plan: PlannedTree
    private let host: Host
    private var name: String { plan.name }
    private var item: CollectionItem.Class { plan.item }
    private let archive: ArchiveWriter
    private let log: CollectionLog
    private let census: TreeCensus
    private let budget: CaptureBudget
    private let meter: CaptureMeter
    private let copier: FileCopier
    private let vault: SecretVault
    private var archivedLinks: [FileIdentity: ArchivedLink] = [:]
    private var leased: [Leased] = []
    /// Why the walk ended early, when it did.
    private(set) var stopReason: String?

    private struct ArchivedLink {
        let path: BytePath
        let size: UInt64
        let digest: Digest?
        let scope: String?
    }

    private struct Leased {
        let path: BytePath
        let since: UInt64
    }

    init(
        _ plan: PlannedTree,
        on host: Host,
        into archive: ArchiveWriter,
        census: TreeCensus,
        log: CollectionLog,
        budget: CaptureBudget,
        meter: CaptureMeter,
        vault: SecretVault,
        opened: @escaping (BytePath) -> Void
    ) {
        self.plan = plan
        self.vault = vault
        self.host = host
        self.archive = archive
        self.census = census
        self.log = log
        self.budget = budget
        self.meter = meter
        copier = FileCopier(into: archive, meter: meter, budget: budget, opened: opened)
    }

    func visit(_ object: WalkedObject, _ node: borrowing FileNode) throws(Failure) -> Bool {
        if meter.mustStop() { return stop(meter.stopWord) }
        // What an object costs whatever it holds: its path in archive, mtree and account, and its headers.
        guard budget.take(UInt64(object.path.bytes.count) * 3 + 512) else { return stop("over the budget") }
        meter.countObject()
        let result = try collect(object, node)
        if let result { try log.record(result) }
        return true
    }

    func miss(_ path: BytePath, because failure: Failure) throws(Failure) -> Bool {
        try log.record(CollectionItem(item, root: name, path: path).failed(failure))
        return true
    }

    func passOver(_ path: BytePath, because reason: String) throws(Failure) {
        try log.record(CollectionItem(item, root: name, path: path).skipped(reason))
    }

    private func stop(_ reason: String) -> Bool {
        stopReason = reason
        return false
    }

    /// Archives one object; `nil` when it waits for a lease and ends later.
    private func collect(_ object: WalkedObject, _ node: borrowing FileNode) throws(Failure) -> CollectionItem? {
        var result = CollectionItem(item, root: name, path: object.path)
        result.facts = node.facts
        guard var entry = try describe(object.path, node, &result) else { return result }
        if object.isOnOtherMount {
            entry.isMetadataOnly = true
            try note(archive.add(entry), in: &result)
            // What is mounted into a session's own file systems is planned as a root of its own, or told as a volume.
            let isPlanned = plan.role == .root || plan.role == .mount
            let reason = "it is on another mount: metadata only"
            return isPlanned ? result.outside(reason) : result.skipped(reason)
        }
        if let failure = object.listing {
            try note(archive.add(entry), in: &result)
            return result.failed(failure)
        }
        guard node.facts.kind == .file else {
            try note(archive.add(entry), in: &result)
            return result
        }
        return try collectFile(node, entry, result)
    }

    private func collectFile(
        _ node: borrowing FileNode,
        _ metadata: ArchiveEntry,
        _ described: CollectionItem
    ) throws(Failure) -> CollectionItem? {
        var entry = metadata
        var result = described
        let facts = node.facts
        if plan.withholds(entry.path) {
            entry.isMetadataOnly = true
            try note(archive.add(entry), in: &result)
            return result.outside("it holds credentials of the agent's: its name and size are kept, not its content")
        }
        if let first = archivedLinks[facts.identity] {
            entry.kind = .hardLink(original: first.path, size: first.size, digest: first.digest)
            try note(archive.add(entry), in: &result)
            result.digest = first.digest
            result.digestScope = first.scope
            result.member = member
            return result
        }
        if let reason = reasonNotToRead(facts) {
            entry.isMetadataOnly = true
            try note(archive.add(entry), in: &result)
            return result.skipped(reason)
        }
        do throws(Failure) {
            return try read(node, entry, result)
        } catch {
            guard error.errno == EAGAIN else { throw error }
            leased.append(Leased(path: entry.path, since: Deadline.monotonicNow()))
            log.plan(item)
            return nil
        }
    }

    /// Reads a file into the archive; one that holds secrets to those who alone may open them, where there are such.
    ///
    /// - Throws: what the archive throws; a lease, as `system` with EAGAIN.
    private func read(
        _ node: borrowing FileNode,
        _ entry: ArchiveEntry,
        _ described: CollectionItem
    ) throws(Failure) -> CollectionItem {
        if let other = vault.known(node.facts) {
            return try sealed(entry, described, other, "another name of a file that was encrypted for the recipients")
        }
        let isNamed = SecretFiles.mayHold(entry.path) || census.secretLinks.contains(node.facts.identity)
        let found: SecretVault.Finding?
        do throws(Failure) {
            found = isNamed ? try vault.look(into: node) : nil
        } catch {
            guard error.errno != EAGAIN else { throw error }
            return try metadataOnly(entry, described) { $0.failed(error) }
        }
        guard let found else {
            var result = finish(described, try copier.copy(node, as: entry))
            if isNamed, vault.isForRecipients, node.facts.size > 0, result.member != nil {
                result.add("files of its name hold secrets; it is too large to be looked into, and in plain")
            }
            return result
        }
        if vault.isForRecipients { return try seal(found, entry, described) }
        var result = finish(described, try copier.copy(node, as: entry))
        guard result.member != nil else { return result }
        try vault.tell(found, entry.path, of: name, nil)
        result.add("\(found.words), in plain")
        return result
    }

    /// Gives a file to the recipients alone. What cannot go there does not lie in plain instead.
    private func seal(
        _ found: SecretVault.Finding,
        _ metadata: ArchiveEntry,
        _ described: CollectionItem
    ) throws(Failure) -> CollectionItem {
        var entry = metadata
        entry.kind = .file(size: found.facts.size, segments: nil)
        entry.modified = FileTime(found.facts.modified)
        entry.changed = FileTime(found.facts.changed)
        var result = described
        result.facts = found.facts
        if vault.isFull {
            let reason = "\(found.words); more than \(SecretVault.mostFiles) such files: metadata only"
            return try metadataOnly(entry, result) { $0.skipped(reason) }
        }
        guard budget.take(UInt64(found.content.count)) else {
            return try metadataOnly(entry, result) { $0.skipped("over the budget: \(found.content.count) bytes") }
        }
        if found.isTorn { result = result.partial("torn: changed while it was read") }
        let receipt = try vault.store(found)
        try vault.tell(found, entry.path, of: name, receipt)
        meter.count(bytes: found.content.count)
        return try sealed(entry, result, receipt, "\(found.words), encrypted for the recipients")
    }

    private func sealed(
        _ metadata: ArchiveEntry,
        _ described: CollectionItem,
        _ receipt: VolumeReceipt,
        _ words: String
    ) throws(Failure) -> CollectionItem {
        var result = try metadataOnly(metadata, described) { $0 }
        result.add("\(words): the archive has its name and size")
        result.member = receipt.first.text
        result.digest = receipt.digest
        result.digestScope = "content"
        return result
    }

    private func metadataOnly(
        _ metadata: ArchiveEntry,
        _ described: CollectionItem,
        _ end: (CollectionItem) -> CollectionItem
    ) throws(Failure) -> CollectionItem {
        var entry = metadata
        entry.isMetadataOnly = true
        var result = end(described)
        let receipt = try archive.add(entry)
        if let warning = receipt.warning {
            if result.outcome == .collected { result.outcome = .partial }
            result.add(warning)
        }
        return result
    }

    /// RT24: a file with names outside the root may be another's. Its metadata is recorded, its content is not read.
    private func reasonNotToRead(_ facts: FileFacts) -> String? {
        guard facts.links > 1 else { return nil }
        guard let seen = census.namesSeen[facts.identity] else {
            return "one of more than \(TreeCensus.mostLinked) files with several names: metadata only"
        }
        guard facts.links > seen else { return nil }
        return "\(facts.links - seen) of its \(facts.links) names are outside the root: metadata only"
    }

    private func finish(_ described: CollectionItem, _ end: FileCopier.End) -> CollectionItem {
        var result = described
        result.facts = end.facts
        if result.outcome == .collected || end.outcome == .failed { result.outcome = end.outcome }
        result.reason = [result.reason, end.reason].compactMap { $0 }.joined(separator: "; ")
        if result.reason?.isEmpty ?? false { result.reason = nil }
        result.errno = end.errno ?? result.errno
        guard let receipt = end.receipt, let digest = receipt.digest else { return result }
        result.digest = digest
        result.digestScope = receipt.digestScope.rawValue
        result.member = member
        if end.facts.links > 1, let path = result.path {
            archivedLinks[end.facts.identity] = ArchivedLink(
                path: path,
                size: end.facts.size,
                digest: digest,
                scope: receipt.digestScope.rawValue
            )
        }
        return result
    }

    /// The metadata of an object for the archive; `nil`, with the reason in `result`, when it cannot stand there.
    private func describe(
        _ path: BytePath,
        _ node: borrowing FileNode,
        _ result: inout CollectionItem
    ) throws(Failure) -> ArchiveEntry? {
        let facts = node.facts
        guard let kind = kind(of: node, &result) else { return nil }
        var entry = ArchiveEntry(
            path: path,
            kind: kind,
            mode: facts.mode,
            uid: facts.uid,
            gid: facts.gid,
            modified: FileTime(facts.modified),
            changed: FileTime(facts.changed),
            links: UInt64(facts.links)
        )
        do throws(Failure) {
            let attributes = try node.attributes(limit: TreeCollector.attributeLimit)
            entry.attributes = attributes.found.map { ArchiveEntry.Attribute(name: $0.name, value: $0.value) }
            if let lost = attributes.missing.first {
                let why = lost.errno.map(SystemErrorName.text) ?? "more than \(TreeCollector.attributeLimit) bytes"
                result = result.partial(
                    "\(attributes.missing.count) extended attributes are missing, the first \(lost.name): \(why)",
                    errno: lost.errno
                )
            }
        } catch {
            result = result.partial("extended attributes: \(error.reason)", errno: error.errno)
        }
        return entry
    }

    private func kind(of node: borrowing FileNode, _ result: inout CollectionItem) -> ArchiveEntry.Kind? {
        let facts = node.facts
        switch facts.kind {
        case .file: return .file(size: facts.size, segments: nil)
        case .directory: return .directory
        case .fifo: return .fifo
        case .socket: return .socket
        case .block: return .block(major: facts.special.major, minor: facts.special.minor)
        case .char: return .character(major: facts.special.major, minor: facts.special.minor)
        case .symlink:
            do throws(Failure) {
                let target = try node.linkTarget()
                result.target = target
                return .symlink(target: target)
            } catch {
                result = result.failed(error)
                return nil
            }
        case .unknown:
            result.outcome = .failed
            result.reason = "it is of a type that Quell does not know"
            return nil
        }
    }

    private func note(_ receipt: EntryReceipt, in result: inout CollectionItem) {
        if let warning = receipt.warning { result = result.partial(warning) }
    }

    private var member: String { "data/files/\(name).pax.zst" }
}

// MARK: - Leases

extension TreeCollector {
    /// Reads the files that somebody held a lease on, see ``LeaseWait``.
    func collectLeased(patience: Duration) throws(Failure) {
        let wait = LeaseWait(patience: patience, meter: meter)
        for waiting in leased {
            let planned = CollectionItem(item, root: name, path: waiting.path)
            let result = try wait.retry(since: waiting.since, planned) { () throws(Failure) in
                try collectAgain(waiting.path, planned)
            }
            try log.end(result)
        }
        leased = []
    }

    /// - Throws: what the archive throws, and EAGAIN as long as the lease holds.
    private func collectAgain(_ path: BytePath, _ planned: CollectionItem) throws(Failure) -> CollectionItem {
        var result = planned
        let held: HeldFolder
        do throws(Failure) {
            var node = try plan.open(on: host)
            for component in path.components { node = HeldFolder(try node.node.child(component)) }
            held = node
        } catch {
            return result.failed(error)
        }
        result.facts = held.node.facts
        guard let entry = try describe(path, held.node, &result) else { return result }
        return try read(held.node, entry, result)
    }
}
