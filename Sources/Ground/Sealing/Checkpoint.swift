public import Base

/// The head of an append-only record as a C2SP checkpoint: whose, how many entries, the digest of the last.
///
/// Source: https://c2sp.org/tlog-checkpoint. The root is the head of a hash chain here, not of a Merkle tree; the origin
/// says so by its prefix.
public struct Checkpoint: Hashable, Sendable {
    /// Whose record: one line without a newline, such as `quell-case/amber-7f3a`.
    public let origin: String
    /// How many entries the record has.
    public let size: UInt64
    /// The digest of the last entry.
    public let root: Digest

    /// Takes all parts; an origin that is empty, has a space, a plus or a newline, or begins with `DSSEv1` gives `nil`.
    public init?(origin: String, size: UInt64, root: Digest) {
        let isName = origin.unicodeScalars.allSatisfy { $0.isASCII && $0.value > 0x20 && $0 != "+" && $0.value < 0x7F }
        guard !origin.isEmpty, isName, !origin.hasPrefix("DSSEv1") else { return nil }
        self.origin = origin
        self.size = size
        self.root = root
    }

    /// The text that is signed: origin, size, base64 of the root, each on a line.
    public var text: String { "\(origin)\n\(size)\n\(Base64.encode(root.bytes))\n" }

    /// Signs the checkpoint; the key's name in the note is the origin.
    ///
    /// - Throws: `system` when libcrypto cannot sign.
    public func sign(with key: SigningKey) throws(Failure) -> SignedNote {
        SignedNote(
            unverifiedCheckpoint: self,
            keyHash: SignedNote.keyHash(origin, key.verifyingKey),
            signature: try key.sign(Array(text.utf8))
        )
    }
}

/// A checkpoint with one Ed25519 signature as a C2SP signed note, not checked yet. Source: https://c2sp.org/signed-note.
public struct SignedNote: Hashable, Sendable {
    /// What the note says; use ``verify(with:)``'s result once it matters.
    public let unverifiedCheckpoint: Checkpoint
    private let keyHash: [UInt8]
    private let signature: [UInt8]

    fileprivate init(unverifiedCheckpoint: Checkpoint, keyHash: [UInt8], signature: [UInt8]) {
        self.unverifiedCheckpoint = unverifiedCheckpoint
        self.keyHash = keyHash
        self.signature = signature
    }

    /// The whole note: the checkpoint, an empty line, and `— NAME BASE64`.
    public var text: String {
        let origin = unverifiedCheckpoint.origin
        return "\(unverifiedCheckpoint.text)\n\u{2014} \(origin) \(Base64.encode(keyHash + signature))\n"
    }

    /// Reads exactly what ``text`` writes: one signature, no extension lines.
    ///
    /// - Throws: `malformed`.
    public init(parsing text: String) throws(Failure) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 6, let size = UInt64(lines[1]),
            let root = Base64.decode(String(lines[2])).flatMap({ Digest(bytes: $0) }),
            let checkpoint = Checkpoint(origin: String(lines[0]), size: size, root: root),
            let mark = lines[4].split(separator: " ").last, let blob = Base64.decode(String(mark)), blob.count == 68
        else { throw SignedNote.malformed("not a checkpoint with one signature") }
        self.init(unverifiedCheckpoint: checkpoint, keyHash: Array(blob[..<4]), signature: Array(blob[4...]))
        guard self.text.utf8.elementsEqual(text.utf8) else { throw SignedNote.malformed("not in canonical form") }
    }

    /// The checkpoint, after `key`'s signature over it was checked.
    ///
    /// - Throws: `notVerified` when it is another key's or the text was altered.
    public func verify(with key: VerifyingKey) throws(Failure) -> Checkpoint {
        let message = Array(unverifiedCheckpoint.text.utf8)
        guard keyHash == SignedNote.keyHash(unverifiedCheckpoint.origin, key), key.verify(signature, over: message)
        else {
            throw Failure(
                .notVerified,
                "verify the checkpoint",
                on: unverifiedCheckpoint.origin,
                because: "the signature is not by the key \(key.fingerprint)"
            )
        }
        return unverifiedCheckpoint
    }

    /// The first four bytes of SHA-256(name, newline, 0x01, public key): 0x01 is Ed25519.
    fileprivate static func keyHash(_ name: String, _ key: VerifyingKey) -> [UInt8] {
        Array(SHA256.digest(of: Array("\(name)\n".utf8) + [1] + key.bytes).bytes[..<4])
    }

    private static func malformed(_ reason: String) -> Failure {
        Failure(.malformed, "read the signed note", on: "checkpoint", because: reason)
    }
}
