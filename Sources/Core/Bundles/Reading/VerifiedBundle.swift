public import Base
public import Sealing

/// A bundle of which everything was checked: only ``UnverifiedBundle`` makes one. Reading checks digests again, so a file
/// that changes after the verification is a failure and never silently other content.
public struct VerifiedBundle: Sendable {
    /// Who stands behind the seal.
    public enum Signer: Hashable, Sendable {
        /// A trusted key signed it; its fingerprint.
        case trusted(fingerprint: Digest)
        /// There is a signature by a key that is not trusted here: content is consistent, its maker is not known.
        case unknown(fingerprint: Digest)
        /// There is no signature: content is consistent, nothing more.
        case unsigned

        /// Whether a trusted key signed it.
        public var isTrusted: Bool {
            if case .trusted = self { return true }
            return false
        }
    }

    /// What a time stamping authority says about the seal. Only ``none`` and ``trusted`` may be green (RT31).
    public enum Timestamp: Hashable, Sendable {
        /// Nothing, and nobody was asked.
        case none
        /// A query was made, and there is no answer yet.
        case pending
        /// A token that is consistent in itself, by an authority that is not trusted here.
        case unknown(TimestampToken.Statement)
        /// A token by an authority that is trusted here.
        case trusted(TimestampToken.Statement)
    }

    /// What the seal says.
    public let statement: SealStatement
    /// SHA-256 of tagmanifest-sha256.txt: the digest that names the bundle.
    public let root: Digest
    /// Who stands behind it.
    public let signer: Signer
    /// Why a key that is known does not count as the signer's: its time, its role. `nil` when there is nothing to say.
    public let doubt: String?
    /// Whose key the trust list says it is.
    public let signerName: String?
    /// When it was sealed at the latest.
    public let timestamp: Timestamp
    /// What others say about it, sorted by name.
    public let countersignatures: [Countersignature]
    /// All payload files, sorted by name.
    public let payload: [PayloadRecord]

    /// How many lines of the mtrees tell of objects that the archives do not hold (sockets, metadata only): of these there
    /// is nothing but the line.
    public let onlyListed: UInt64

    let store: MemberStore
    let archives: [ArchivedRoot]
    /// The digests of the files beside the payload, as they were when they were judged.
    let small: [String: Digest]

    /// The names of the archived roots, sorted.
    public var roots: [String] { archives.map(\.name) }

    /// The exit status that the verification leads to: done when everybody who stands behind it is trusted here, the
    /// authority of a timestamp and countersigners among them; else partial.
    public var outcome: Outcome {
        guard case .trusted = signer else { return .partial }
        switch timestamp {
        case .pending, .unknown: return .partial
        case .none, .trusted: return countersignatures.allSatisfy(\.isTrusted) ? .done : .partial
        }
    }
}

extension VerifiedBundle {
    /// The bytes of one payload file.
    ///
    /// - Throws: `notFound` when there is none of that name, `refused` when it is longer than `limit` bytes, `notVerified`
    ///   when it changed since the verification, `system` with errno.
    public func bytes(of name: PayloadName, limit: Int = 64 << 20) throws(Failure) -> [UInt8] {
        let record = try record(name)
        guard record.size <= UInt64(clamping: limit) else {
            throw Failure(.refused, "read a payload file", on: name.text, because: "longer than \(limit) bytes")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(record.size))
        try read(name) { bytes += $0 }
        return bytes
    }

    /// Hands the bytes of one payload file to `body`, piece by piece and in order. The digest is known only at the end:
    /// what `body` got is evidence only when this returns.
    ///
    /// - Throws: as ``bytes(of:limit:)``, and what `body` throws.
    public func read(
        _ name: PayloadName,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let record = try record(name)
        try failing { () throws(Problem) in try PayloadCheck.read(record, in: store, body) }
    }

    /// Hands the entries of an archived root to `body` in the order of the archive; content that `body` does not read is
    /// skipped. Entries of the mtree that the archive does not hold (sockets, metadata only) are not among them. What
    /// `body` got is evidence only when this returns.
    ///
    /// - Throws: `notFound` when there is no such root, `notVerified` when it changed since the verification, `system`
    ///   with errno, and what `body` throws.
    public func walk(
        root: String,
        _ body: (ArchiveEntry, EntryContent) throws(Failure) -> Void
    ) throws(Failure) {
        let pass = try pass(over: root)
        while let entry = try failing({ () throws(Problem) in try pass.next() }) {
            try body(entry, EntryContent(pass))
        }
    }

    /// Writes the content of one regular file of an archived root to `descriptor`, holes as zeros, and gives its length.
    /// Hard links are followed within the archive.
    ///
    /// - Throws: as ``walk(root:_:)``; `notFound` also when there is no such file; `refused` when it is no regular file.
    public func extract(_ path: BytePath, of root: String, to descriptor: Int32) throws(Failure) -> UInt64 {
        var wanted = path
        var pass = try pass(over: root)
        while let entry = try failing({ () throws(Problem) in try pass.next() }) {
            guard entry.path == wanted else { continue }
            switch entry.kind {
            case .hardLink(let original, _, _):
                wanted = original
                pass = try self.pass(over: root)
            case .file(let size, _):
                try EntryContent(pass).write(size: size, to: descriptor, subject: path)
                while try failing({ () throws(Problem) in try pass.next() }) != nil {}
                return size
            default:
                throw Failure(.refused, "extract a file", on: "\(root): \(path)", because: "not a regular file")
            }
        }
        throw Failure(.notFound, "extract a file", on: "\(root): \(path)", because: "the archive has no such path")
    }

    func pass(over root: String) throws(Failure) -> ArchivePass {
        guard let archive = archives.first(where: { $0.name == root }) else {
            throw Failure(.notFound, "read an archived root", on: root, because: "the bundle has no such root")
        }
        return try failing { () throws(Problem) in try ArchivePass(archive, in: store) }
    }

    /// The bytes of a file beside the payload, as they were when they were judged.
    ///
    /// - Throws: `notVerified` when they are others by now, or it is gone.
    func judged(_ name: String) throws(Failure) -> [UInt8] {
        let bytes = try failing { () throws(Problem) in try SmallFiles(in: store).bytes(of: name) }
        guard SHA256.digest(of: bytes) == small[name] else {
            throw Failure(.notVerified, "read the file", on: name, because: "it changed since the bundle was verified")
        }
        return bytes
    }

    private func record(_ name: PayloadName) throws(Failure) -> PayloadRecord {
        guard let record = payload.first(where: { $0.name == name }) else {
            throw Failure(.notFound, "read a payload file", on: name.text, because: "the bundle has no such file")
        }
        return record
    }
}
