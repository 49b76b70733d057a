public import Base
import COpenSSL

/// An Ed25519 public key (RFC 8032).
public struct VerifyingKey: Sendable {
    private let handle: KeyHandle

    init(_ handle: KeyHandle) { self.handle = handle }

    /// Takes the 32 bytes of the key; any other count gives `nil`.
    public init?(bytes: [UInt8]) {
        CryptoLibrary.start()
        guard bytes.count == 32, let pointer = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, 32) else {
            return nil
        }
        self.init(KeyHandle(pointer))
    }

    /// Reads SubjectPublicKeyInfo PEM, as ``pem`` and `openssl pkey -pubout` write it; any other text gives `nil`.
    public init?(pem text: String) {
        guard let bytes = PEM.key(.publicKey, in: text) else { return nil }
        self.init(bytes: bytes)
    }

    /// Reads a PEM file; no link is followed.
    ///
    /// - Throws: `notFound`, or `malformed` when the file holds anything else than an Ed25519 public key.
    public init(loading path: BytePath) throws(Failure) {
        guard let key = VerifyingKey(pem: try KeyFile.read(path, isPrivate: false)) else {
            throw Failure(
                .malformed,
                "read the public key",
                on: String(decoding: path.bytes, as: UTF8.self),
                because: "not an Ed25519 public key in PEM"
            )
        }
        self = key
    }

    /// The 32 bytes of the key.
    public var bytes: [UInt8] { handle.publicBytes }

    /// SubjectPublicKeyInfo in PEM (RFC 8410), with a final newline.
    public var pem: String { PEM.text(.publicKey, bytes) }

    /// The SHA-256 of the SubjectPublicKeyInfo in DER, printed as 64 hexadecimal digits, so that
    /// `openssl pkey -pubin -in KEY -outform DER | sha256sum` prints the same.
    public var fingerprint: Digest { SHA256.digest(of: PEM.Kind.publicKey.prefix + bytes) }

    /// Writes ``pem`` to a new file of mode 0644; an existing file is never replaced.
    ///
    /// - Throws: `system` with EEXIST when something stands there.
    public func save(to path: BytePath) throws(Failure) {
        try KeyFile.create(path, mode: 0o644, pem)
    }

    /// Whether `signature` is this key's over `message`. Only this room calls it.
    func verify(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for a signature context") }
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        guard EVP_DigestVerifyInit(context, nil, nil, nil, handle.pointer) == 1 else { return false }
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }
}

extension VerifyingKey: Hashable {
    /// Equal bytes are equal keys.
    public static func == (left: VerifyingKey, right: VerifyingKey) -> Bool { left.bytes == right.bytes }
    /// Hashes the bytes.
    public func hash(into hasher: inout Swift.Hasher) { hasher.combine(bytes) }
}
