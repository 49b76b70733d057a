public import Base
import COpenSSL

/// An Ed25519 private key (RFC 8032).
///
/// It signs nothing by itself that a caller chooses freely: ``DSSE``, ``Checkpoint`` and ``SSHSignature`` are the only ways to
/// a signature outside this room, so nobody signs a bare digest (RT32).
public struct SigningKey: Sendable {
    private let handle: KeyHandle

    /// The key that verifies what this one signs.
    public let verifyingKey: VerifyingKey

    private init(_ handle: KeyHandle) {
        self.handle = handle
        verifyingKey = VerifyingKey(handle)
    }

    /// Makes a key from the random source of the kernel.
    ///
    /// - Throws: `system` when libcrypto has no randomness.
    public static func generate() throws(Failure) -> SigningKey {
        CryptoLibrary.start()
        var seed = [UInt8](repeating: 0, count: 32)
        defer { seed.erase() }
        guard RAND_priv_bytes(&seed, 32) == 1 else {
            throw Failure(.system, "make a key", on: "Ed25519", because: CryptoLibrary.lastProblem())
        }
        return try SigningKey(seed: seed)
    }

    /// Takes the 32 bytes of RFC 8032 that a private key is made from.
    init(seed: [UInt8]) throws(Failure) {
        CryptoLibrary.start()
        guard let pointer = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count) else {
            throw Failure(.malformed, "take a private key", on: "Ed25519", because: CryptoLibrary.lastProblem())
        }
        self.init(KeyHandle(pointer))
    }

    /// Reads PKCS#8 PEM as ``save(to:)`` and `openssl genpkey -algorithm ed25519` write it.
    ///
    /// - Throws: `notFound`; `refused` when others can open the file (the hint names chmod), when somebody else owns it or
    ///   when it is a symbolic link; `malformed` when it holds anything else.
    public init(loading path: BytePath) throws(Failure) {
        let text = try KeyFile.read(path, isPrivate: true)
        guard let seed = PEM.key(.privateKey, in: text) else {
            throw Failure(
                .malformed,
                "read the signing key",
                on: String(decoding: path.bytes, as: UTF8.self),
                because: "not an Ed25519 private key in PKCS#8 PEM"
            )
        }
        try self.init(seed: seed)
    }

    /// Reads PKCS#8 PEM, also one under a passphrase, as `openssl pkey -aes256` writes it. `passphrase` is asked only then.
    ///
    /// - Throws: as ``init(loading:)``; `refused` when the passphrase is not the right one, or what `passphrase` throws.
    public init(loading path: BytePath, passphrase: () throws(Failure) -> Secret) throws(Failure) {
        let text = try KeyFile.read(path, isPrivate: true)
        guard EncryptedPEM.isOne(text) else {
            if text.contains("BEGIN OPENSSH PRIVATE KEY") {
                throw Failure(
                    .malformed,
                    "read the signing key",
                    on: String(decoding: path.bytes, as: UTF8.self),
                    because: "it is in OpenSSH's own form, which only ssh-agent opens here",
                    hint: "ssh-add the key and use --with agent"
                )
            }
            self = try SigningKey(loading: path)
            return
        }
        self.init(try EncryptedPEM.key(in: text, of: path, passphrase: try passphrase()))
    }

    /// Writes PKCS#8 PEM to a new file of mode 0600; an existing file is never replaced and no link is followed. The file
    /// is synced; syncing its directory is the caller's business.
    ///
    /// - Throws: `system` with EEXIST when something stands there.
    public func save(to path: BytePath) throws(Failure) {
        var seed = [UInt8](repeating: 0, count: 32)
        defer { seed.erase() }
        var count = seed.count
        guard EVP_PKEY_get_raw_private_key(handle.pointer, &seed, &count) == 1, count == 32 else {
            throw Failure(.system, "write the signing key", on: "Ed25519", because: CryptoLibrary.lastProblem())
        }
        try KeyFile.create(path, mode: 0o600, PEM.text(.privateKey, seed))
    }

    /// The 64 bytes of the signature over `message`. Only this room calls it.
    func sign(_ message: [UInt8]) throws(Failure) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for a signature context") }
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: 64)
        var count = signature.count
        guard EVP_DigestSignInit(context, nil, nil, nil, handle.pointer) == 1,
            EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == 64
        else {
            throw Failure(.system, "sign", on: "Ed25519", because: CryptoLibrary.lastProblem())
        }
        return signature
    }
}
