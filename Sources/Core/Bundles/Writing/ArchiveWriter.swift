public import Base

/// Writes one root of a session as a pax archive in one zstd stream, cut into volumes, and its mtree beside it.
///
/// The caller walks; each entry is one ``begin(_:)``, any number of ``append(_:)`` and ``skipHole(_:)`` in the order of the
/// file, one ``endEntry()``; or ``add(_:)`` for what has no content. A directory comes before what lies in it, the root
/// itself (`.`) first. Each byte is read once: it goes to the digest, the archive and the mtree. Memory does not grow
/// with the tree except by 16 bytes a directory. Not for use from two threads at once.
public final class ArchiveWriter {
    /// The root's name: `[a-z0-9-]+`.
    public let root: String

    init(root: String) { self.root = root }

    /// Starts an entry.
    ///
    /// - Throws: `refused` when an entry is still open, its parent was not archived before or its path is not relative;
    ///   `system` when the archive cannot be written: the bundle is then of no further use.
    public func begin(_ entry: ArchiveEntry) throws(Failure) { throw notBuilt }

    /// Appends content of the file begun last. Bytes beyond the size of its header are counted and dropped.
    ///
    /// - Throws: `system` when the archive cannot be written.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) { throw notBuilt }

    /// Passes over `length` bytes of a hole: zeros for the digest, nothing in the archive when the entry's segments say so.
    ///
    /// - Throws: `system` when the archive cannot be written.
    public func skipHole(_ length: UInt64) throws(Failure) { throw notBuilt }

    /// Ends the entry. Bytes that are missing against the header become zeros and are told in the receipt.
    ///
    /// - Throws: `system` when the archive cannot be written.
    public func endEntry() throws(Failure) -> EntryReceipt { throw notBuilt }

    /// Begins and ends an entry without content.
    ///
    /// - Throws: as ``begin(_:)`` and ``endEntry()``.
    @discardableResult
    public func add(_ entry: ArchiveEntry) throws(Failure) -> EntryReceipt { throw notBuilt }

    /// Ends archive and mtree and enters them in the bundle's manifest. Without it the bundle cannot be sealed.
    ///
    /// - Throws: `refused` when an entry is still open; `system` with errno.
    @discardableResult
    public func close() throws(Failure) -> ArchiveReceipt { throw notBuilt }

    private var notBuilt: Failure { Failure(.refused, "write an archive", on: root, because: "not built yet") }
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
