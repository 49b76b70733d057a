public import Base
import Sealing

/// Writes one root of a session as a pax archive in one zstd stream, cut into volumes, and its mtree beside it.
///
/// The caller walks; each entry is one ``begin(_:)``, any number of ``append(_:)-(UnsafeRawBufferPointer)`` and
/// ``skipHole(_:)`` in the order of the file, one ``endEntry()``; or ``add(_:)`` for what has no content. The root itself
/// (`.`) comes first, a directory before what lies in it, and no path twice. Each byte is read once: it goes to the digest,
/// the archive and the mtree. Memory does not grow with the tree except by some 16 bytes a directory and a file with several
/// names. Not for use from two threads at once.
///
/// A stock reader needs nothing of Quell: `cat data/files/ROOT.pax.zst.* | zstd -d | tar -x`.
public final class ArchiveWriter {
    /// The root's name: `[a-z0-9-]+`.
    public let root: String

    private let volumes: CompressedVolumes
    private let pax: PaxWriter
    private let mtree: PayloadStream
    private let zeros: ZeroRegion
    private var digest = ContentDigest()
    private var directories: Set<Int> = []
    private var originals: Set<Int> = []
    private var open: OpenEntry?
    private var entries: UInt64 = 0
    private var contentBytes: UInt64 = 0

    private struct OpenEntry {
        let entry: ArchiveEntry
        let size: UInt64
        var remaining: UInt64
        var excess: UInt64 = 0
        let warning: String?
    }

    init(root: String, bundle: BundleWriter, volumeSize: Int) throws(Failure) {
        self.root = root
        zeros = try ZeroRegion()
        mtree = try bundle.stream(try PayloadName(VolumeName.mtree(root: root)))
        let cutter = VolumeCutter(base: VolumeName.archive(root: root), size: volumeSize, bundle: bundle)
        let volumes = try CompressedVolumes(into: cutter)
        self.volumes = volumes
        pax = try PaxWriter { bytes throws(Failure) in try volumes.append(bytes) }
        try mtree.append(Array(MtreeLine.header.utf8))
    }

    /// Starts an entry. A file larger than 2^63 - 1 bytes, names beyond 256 KiB, a path with `.`, `..` or an empty
    /// component, stretches of data that overlap, a parent that was not archived before are refused; the writer can go on
    /// with the next entry.
    ///
    /// - Throws: `refused` or `malformed` as told; `system` when the archive cannot be written: the bundle is then of no
    ///   further use.
    public func begin(_ entry: ArchiveEntry) throws(Failure) {
        if let open { throw refusal(open.entry, "this entry is still open") }
        try requirePlace(for: entry)
        var warning: String?
        var size: UInt64 = 0
        if entry.isArchived {
            var map: SegmentMap?
            if case .file(let length, let segments) = entry.kind {
                size = length
                if let segments { map = try SegmentMap(segments, size: length) }
                digest.begin(size: length, map: map)
            }
            warning = try pax.begin(entry, segments: map?.segments)
        }
        remember(entry)
        var kept = entry
        if entry.isArchived, PaxTime.kept(entry.modified) != entry.modified {
            kept.modified = PaxTime.kept(entry.modified)
            warning = warning ?? "a time within the last second before 1970 is kept to the second"
        }
        open = OpenEntry(entry: kept, size: size, remaining: size, warning: warning)
    }

    /// Appends content of the file begun last. Bytes beyond the size of its header are counted and dropped; so is any
    /// content of an entry that has none.
    ///
    /// - Throws: `refused` when no entry is open; `system` when the archive cannot be written.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        let count = try take(UInt64(bytes.count))
        let kept = UnsafeRawBufferPointer(rebasing: bytes[..<Int(count)])
        digest.update(kept)
        try pax.append(kept)
        contentBytes += count
    }

    /// Appends content, as ``append(_:)-(UnsafeRawBufferPointer)`` does.
    ///
    /// - Throws: the same.
    public func append(_ bytes: [UInt8]) throws(Failure) {
        try bytes.withRawBytes { buffer throws(Failure) in try append(buffer) }
    }

    /// Passes over `length` bytes of a hole: zeros for the digest, nothing in the archive when the entry's segments say so.
    ///
    /// - Throws: `refused` when no entry is open; `system` when the archive cannot be written.
    public func skipHole(_ length: UInt64) throws(Failure) {
        try fill(try take(length))
    }

    /// Ends the entry. Bytes that are missing against the header become zeros and are told in the receipt.
    ///
    /// - Throws: `refused` when no entry is open; `system` when the archive cannot be written.
    @discardableResult
    public func endEntry() throws(Failure) -> EntryReceipt {
        guard let open else { throw Failure(.refused, "archive an entry", on: root, because: "no entry is open") }
        let missing = open.remaining
        try fill(missing)
        self.open = nil
        var sum: Digest?
        var inFull: Digest?
        if open.entry.isArchived {
            try pax.end()
            if case .file = open.entry.kind {
                sum = digest.finish()
                if digest.scope == .content { inFull = sum }
            }
            if case .hardLink(_, _, let original) = open.entry.kind { inFull = original }
        }
        try mtree.append(MtreeLine.bytes(of: open.entry, digest: inFull))
        entries += 1
        return EntryReceipt(
            digest: sum,
            digestScope: sum == nil ? .content : digest.scope,
            missing: missing,
            excess: open.excess,
            warning: open.warning
        )
    }

    /// Begins and ends an entry without content.
    ///
    /// - Throws: as ``begin(_:)`` and ``endEntry()``.
    @discardableResult
    public func add(_ entry: ArchiveEntry) throws(Failure) -> EntryReceipt {
        try begin(entry)
        return try endEntry()
    }

    /// Ends archive and mtree and enters them in the bundle's manifest. Without it the bundle cannot be sealed.
    ///
    /// - Throws: `refused` when an entry is still open; `system` with errno.
    @discardableResult
    public func close() throws(Failure) -> ArchiveReceipt {
        if let open { throw refusal(open.entry, "this entry is still open") }
        try pax.close()
        let written = try volumes.close()
        let list = try mtree.close()
        return ArchiveReceipt(files: written + [list], entries: entries, contentBytes: contentBytes)
    }

    /// How many of `wanted` bytes belong to the open entry.
    private func take(_ wanted: UInt64) throws(Failure) -> UInt64 {
        guard let entry = open else {
            throw Failure(.refused, "archive content", on: root, because: "no entry is open")
        }
        let count = min(wanted, entry.remaining)
        open?.remaining -= count
        open?.excess += wanted - count
        return count
    }

    private func fill(_ length: UInt64) throws(Failure) {
        digest.skip(length)
        var rest = length
        while rest > 0 {
            let count = Int(min(rest, UInt64(ZeroRegion.size)))
            try pax.append(UnsafeRawBufferPointer(rebasing: zeros.bytes[..<count]))
            rest -= UInt64(count)
        }
    }

    private func requirePlace(for entry: ArchiveEntry) throws(Failure) {
        if entries == 0 {
            guard entry.isRoot, entry.kind == .directory, !entry.isMetadataOnly else {
                throw refusal(entry, "the first entry is the root, a directory")
            }
            return
        }
        let components = entry.path.bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let odd = components.contains { $0.count <= 2 && $0.allSatisfy { $0 == UInt8(ascii: ".") } }
        if odd {
            throw Failure(.malformed, "archive an entry", on: subject(entry), because: "not a path below the root")
        }
        var nameBytes = entry.path.bytes.count
        if case .symlink(let target) = entry.kind { nameBytes += target.bytes.count }
        if case .hardLink(let original, _, _) = entry.kind { nameBytes += original.bytes.count }
        if nameBytes > PaxWriter.largestNames { throw refusal(entry, "its names are longer than a header may be") }
        if case .file(let size, _) = entry.kind, size > UInt64(Int64.max) {
            throw refusal(entry, "larger than 2^63 bytes")
        }
        if case .hardLink(let original, _, _) = entry.kind, entry.isArchived,
            !originals.contains(Self.key(original.bytes[...]))
        {
            throw refusal(entry, "the file it links to was not archived before it with more than one link")
        }
        let parent = entry.path.bytes.dropLast((components.last?.count ?? 0) + 1)
        if !directories.contains(Self.key(parent)) { throw refusal(entry, "its directory was not archived before it") }
    }

    private func remember(_ entry: ArchiveEntry) {
        let key = Self.key(entry.isRoot ? [] : entry.path.bytes[...])
        if entry.kind == .directory { directories.insert(key) }
        if case .file = entry.kind, entry.isArchived, entry.links > 1 { originals.insert(key) }
    }

    private static func key(_ path: ArraySlice<UInt8>) -> Int {
        var hasher = Swift.Hasher()
        path.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    private func subject(_ entry: ArchiveEntry) -> String {
        "\(root): " + String(decoding: entry.mtreePath, as: UTF8.self)
    }

    private func refusal(_ entry: ArchiveEntry, _ reason: String) -> Failure {
        Failure(.refused, "archive an entry", on: subject(entry), because: reason)
    }
}

/// What an archived root came to.
public struct ArchiveReceipt: Hashable, Sendable {
    /// The volumes in order and the mtree last.
    public let files: [PayloadRecord]
    /// Entries in the mtree, the root itself counted.
    public let entries: UInt64
    /// Bytes of content before compression, holes not counted.
    public let contentBytes: UInt64
}
