public import Base
import COpenSSL

/// SHA-256 over a stream of bytes (FIPS 180-4). One context serves any number of digests, one after the other.
///
/// It owns memory of libcrypto, so it cannot be copied; keep it in a `var` or in the object that reads the stream.
public struct Hasher: ~Copyable {
    private let context: OpaquePointer

    /// Makes a hasher that has seen no byte.
    public init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for a hash context") }
        self.context = context
        require(EVP_DigestInit_ex2(context, CryptoLibrary.sha256, nil))
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Takes more bytes; the empty buffer changes nothing.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        require(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count))
    }

    /// Takes more bytes.
    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// The digest of everything since the start or the last `finish`; the hasher then starts anew.
    public mutating func finish() -> Digest {
        var bytes = [UInt8](repeating: 0, count: Digest.length)
        require(EVP_DigestFinal_ex(context, &bytes, nil))
        require(EVP_DigestInit_ex2(context, nil, nil))
        guard let digest = Digest(bytes: bytes) else { preconditionFailure("a SHA-256 digest has 32 bytes") }
        return digest
    }

    /// These calls fail only when libcrypto itself is broken or out of memory: there is nothing to go on with.
    private func require(_ status: Int32) {
        guard status == 1 else { preconditionFailure("libcrypto cannot hash: \(CryptoLibrary.lastProblem())") }
    }
}

/// SHA-256 of bytes that are already together.
public enum SHA256 {
    /// The digest of `bytes`.
    public static func digest(of bytes: [UInt8]) -> Digest {
        bytes.withUnsafeBytes { digest(of: $0) }
    }

    /// The digest of `bytes`.
    public static func digest(of bytes: UnsafeRawBufferPointer) -> Digest {
        var digest = [UInt8](repeating: 0, count: Digest.length)
        guard quell_sha256(bytes.baseAddress, bytes.count, &digest) == 1, let made = Digest(bytes: digest) else {
            preconditionFailure("SHA-256 needs nothing that could fail")
        }
        return made
    }
}
