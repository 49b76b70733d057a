public import Base

/// A bundle that was just sealed. What it says about itself is as true as the disk; ``UnverifiedBundle`` checks it again.
public struct SealedBundle: Hashable, Sendable {
    /// The directory.
    public let path: BytePath
    /// The name in the seal; a packed bundle unpacks to a directory of this name.
    public let name: String
    /// SHA-256 of tagmanifest-sha256.txt: the digest that names the bundle.
    public let root: Digest
    /// The fingerprint of the key that signed; `nil`: sealed but unsigned.
    public let signer: Digest?
    /// Payload files.
    public let payloadFiles: Int
    /// Bytes of all payload files.
    public let payloadBytes: UInt64

    /// Whether a key stands behind it.
    public var isSigned: Bool { signer != nil }
}
