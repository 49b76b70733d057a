import Base
import COpenSSL

/// Owns one EVP_PKEY. Unchecked because libcrypto locks the reference count itself and the key is never changed after
/// `init` (openssl-threads(7)).
final class KeyHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { EVP_PKEY_free(pointer) }

    /// The 32 bytes of the public key (RFC 8032).
    var publicBytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32)
        var count = bytes.count
        guard EVP_PKEY_get_raw_public_key(pointer, &bytes, &count) == 1, count == 32 else {
            preconditionFailure("an Ed25519 key has 32 public bytes")
        }
        return bytes
    }
}
