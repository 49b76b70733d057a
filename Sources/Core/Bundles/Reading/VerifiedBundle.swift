public import Base

/// A bundle of which everything was checked: only ``UnverifiedBundle`` makes one. Reading checks digests again, so a file
/// that changes after the verification is a failure and never silently other content.
public struct VerifiedBundle: Sendable {
    /// Who stands behind the seal.
    public enum Signer: Hashable, Sendable {
        /// A trusted key signed it; its fingerprint.
        case trusted(fingerprint: String)
        /// There is a signature by a key that is not trusted here: content is consistent, its maker is not known.
        case unknown(fingerprint: String)
        /// There is no signature: content is consistent, nothing more.
        case unsigned
    }

    /// What the seal says.
    public let statement: SealStatement
    /// SHA-256 of tagmanifest-sha256.txt: the digest that names the bundle.
    public let root: Digest
    /// Who stands behind it.
    public let signer: Signer
    /// All payload files, sorted by name.
    public let payload: [PayloadRecord]

    /// The names of the archived roots, sorted.
    public var roots: [String] { [] }

    /// The exit status that the verification leads to: done for a trusted signer, partial for any other.
    public var outcome: Outcome {
        if case .trusted = signer { return .done }
        return .partial
    }

    /// The bytes of one payload file.
    ///
    /// - Throws: `notFound` when there is none of that name, `refused` when it is longer than `limit` bytes, `notVerified`
    ///   when it changed since the verification, `system` with errno.
    public func bytes(of name: PayloadName, limit: Int = 64 << 20) throws(Failure) -> [UInt8] { throw notBuilt }

    /// Hands the bytes of one payload file to `body`, piece by piece and in order. The digest is known only at the end:
    /// what `body` got is evidence only when this returns.
    ///
    /// - Throws: as ``bytes(of:limit:)``, and what `body` throws.
    public func read(
        _ name: PayloadName,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) { throw notBuilt }

    /// Hands the entries of an archived root to `body` in the order of the archive; content that `body` does not read is
    /// skipped. Entries of the mtree that the archive does not hold (sockets, metadata only) are not among them.
    ///
    /// - Throws: `notFound` when there is no such root, `notVerified` when it changed since the verification, `system`
    ///   with errno, and what `body` throws.
    public func walk(
        root: String,
        _ body: (ArchiveEntry, EntryContent) throws(Failure) -> Void
    ) throws(Failure) { throw notBuilt }

    /// Writes the content of one regular file of an archived root to `descriptor`, holes as zeros, and gives its length.
    /// Hard links are followed within the archive.
    ///
    /// - Throws: as ``walk(root:_:)``; `notFound` also when there is no such file; `refused` when it is no regular file.
    public func extract(_ path: BytePath, of root: String, to descriptor: Int32) throws(Failure) -> UInt64 {
        throw notBuilt
    }

    private var notBuilt: Failure { Failure(.refused, "read a bundle", on: statement.name, because: "not built yet") }
}

/// The content of the entry that a walk is at; of no use after the walk's body has returned.
public final class EntryContent {
    init() {}

    /// Hands the stretches of data to `body` with their offsets, in order; what lies between is a hole of zeros. A second
    /// call hands over nothing.
    ///
    /// - Throws: `notVerified` when the archive is damaged, `system` with errno, and what `body` throws.
    public func read(
        _ body: (_ offset: UInt64, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        throw Failure(.refused, "read an archived file", on: "its content", because: "not built yet")
    }
}
