public import Base
import COpenSSL

/// A question to a time stamping authority: the digest of what is to be stamped, and a number that its answer must repeat.
/// Always the same 69 bytes but for those two, with SHA-256 and with the wish for the authority's certificate.
///
/// Source: RFC 3161 section 2.4.1; `openssl ts -query -in FILE -text` prints it.
public struct TimestampQuery: Hashable, Sendable {
    /// SHA-256 of what is to be stamped.
    public let digest: Digest
    /// Eight bytes, the first from 0x40 to 0x7F, so that the number has one length and is positive.
    let nonce: [UInt8]

    /// AlgorithmIdentifier of SHA-256 with NULL parameters, as `openssl ts` writes it.
    private static let sha256: [UInt8] = [
        0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    ]

    /// Asks about `message` with a number from the kernel's random source.
    ///
    /// - Throws: `system` when libcrypto has no randomness.
    public init(over message: [UInt8]) throws(Failure) {
        CryptoLibrary.start()
        var nonce = [UInt8](repeating: 0, count: 8)
        guard RAND_bytes(&nonce, 8) == 1 else {
            throw Failure(.system, "ask for a timestamp", on: "RFC 3161", because: CryptoLibrary.lastProblem())
        }
        nonce[0] = nonce[0] & 0x3F | 0x40
        self.init(digest: SHA256.digest(of: message), nonce: nonce)
    }

    private init(digest: Digest, nonce: [UInt8]) {
        self.digest = digest
        self.nonce = nonce
    }

    /// The query in DER.
    public var bytes: [UInt8] {
        let imprint = DER.sequence(TimestampQuery.sha256 + DER.octets(digest.bytes))
        return DER.sequence([0x02, 0x01, 0x01] + imprint + DER.integer(nonce) + [0x01, 0x01, 0xFF])
    }

    /// Reads exactly what ``bytes`` writes.
    ///
    /// - Throws: `malformed`.
    public init(parsing bytes: [UInt8]) throws(Failure) {
        if bytes.count == 69, let digest = Digest(bytes: Array(bytes[24..<56])) {
            self.init(digest: digest, nonce: Array(bytes[58..<66]))
            if self.bytes == bytes, (0x40...0x7F).contains(nonce[0]) { return }
        }
        throw Failure(.malformed, "read the timestamp query", on: "RFC 3161", because: "Quell did not write it")
    }
}
