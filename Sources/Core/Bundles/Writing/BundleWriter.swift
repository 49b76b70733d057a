public import Base

/// Writes an evidence bundle: a new directory (0700, files 0600) that becomes a BagIt 1.0 bag when it is sealed.
/// May be used from several threads at once; each stream and archive belongs to one of them.
public final class BundleWriter: Sendable {
    /// The directory.
    public let path: BytePath

    /// Makes the directory, which must not exist; its parent must.
    ///
    /// - Parameters:
    ///   - path: The new directory.
    ///   - volumeSize: Bytes in a volume of an archive, 64 MiB unless told; at least 64 KiB.
    /// - Throws: `system` with EEXIST when something stands there already, or another errno.
    public init(creating path: BytePath, volumeSize: Int = 64 << 20) throws(Failure) {
        self.path = path
        throw notBuilt
    }

    /// Writes a whole payload file.
    ///
    /// - Throws: `refused` when the name is taken or the bundle is sealed; `system` with errno.
    @discardableResult
    public func write(_ name: PayloadName, _ bytes: [UInt8]) throws(Failure) -> PayloadRecord { throw notBuilt }

    /// Opens a payload file to be written bit by bit.
    ///
    /// - Throws: `refused` when the name is taken or the bundle is sealed; `system` with errno.
    public func stream(_ name: PayloadName) throws(Failure) -> PayloadStream { throw notBuilt }

    /// Opens an archive: `data/files/<root>.pax.zst.NNN` and `data/files/<root>.mtree`.
    ///
    /// - Throws: `malformed` when `root` is not `[a-z0-9-]+`; `refused` when it is taken; `system` with errno.
    public func archive(root: String) throws(Failure) -> ArchiveWriter { throw notBuilt }

    private var notBuilt: Failure { Failure(.refused, "write a bundle", on: "\(path)", because: "not built yet") }
}
