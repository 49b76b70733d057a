import Base
import COpenSSL

/// A private key under a passphrase: `ENCRYPTED PRIVATE KEY` of RFC 5958, what `openssl pkey -aes256` writes.
enum EncryptedPEM {
    /// The most bytes that a passphrase may have, libcrypto's own bound.
    static let longestPassphrase = 1023

    static func isOne(_ text: String) -> Bool { text.hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----\n") }

    /// Opens it; any other key than Ed25519 is `malformed`.
    static func key(in text: String, of path: BytePath, passphrase: Secret) throws(Failure) -> KeyHandle {
        CryptoLibrary.start()
        defer { ERR_clear_error() }
        let subject = String(decoding: path.bytes, as: UTF8.self)
        guard passphrase.count <= longestPassphrase else {
            throw Failure(.refused, "open the signing key", on: subject, because: "the passphrase is too long")
        }
        let opened = passphrase.withBytes { bytes in
            // PEM_read_bio_PrivateKey(3): without a callback the last argument is a string that ends in a zero byte.
            var word = Array(bytes) + [0]
            defer { word.erase() }
            return decrypt(Array(text.utf8), &word)
        }
        guard let opened else {
            throw Failure(
                .refused,
                "open the signing key",
                on: subject,
                because: "the passphrase does not open it, or it is damaged"
            )
        }
        let handle = KeyHandle(opened)
        guard EVP_PKEY_get_id(opened) == EVP_PKEY_ED25519 else {
            throw Failure(.malformed, "read the signing key", on: subject, because: "it is no Ed25519 key")
        }
        return handle
    }

    private static func decrypt(_ text: [UInt8], _ word: inout [UInt8]) -> OpaquePointer? {
        guard let source = BIO_new_mem_buf(text, Int32(clamping: text.count)) else { return nil }
        defer { BIO_free(source) }
        return word.withUnsafeMutableBytes { PEM_read_bio_PrivateKey(source, nil, nil, $0.baseAddress) }
    }
}
