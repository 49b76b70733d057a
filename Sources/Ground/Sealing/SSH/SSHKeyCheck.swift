import Base
import COpenSSL

/// Checks the inner signature of an SSHSIG with the key of its type.
extension SSHPublicKey {
    /// Whether `signature`, in the form of its algorithm, is this key's over `message`.
    ///
    /// - Throws: `malformed` when it is not of the form.
    func verifies(_ signature: [UInt8], over message: [UInt8]) throws(Failure) -> Bool {
        var reader = SSHReader(signature, of: "the SSH signature")
        let algorithm = try reader.name()
        let body = try reader.string()
        switch material {
        case .ed25519(let key):
            try reader.end()
            return algorithm == kind.rawValue && body.count == 64 && key.verify(body, over: message)
        case .token(let key, let application):
            return try SSHPublicKey.isOfToken(key, application, body, &reader, over: message)
                && algorithm == kind.rawValue
        case .p256(let point):
            try reader.end()
            guard algorithm == kind.rawValue, let key = PublicKeyHandle(p256: point) else { return false }
            return key.verify(try SSHPublicKey.derSignature(body), over: message, hash: EVP_sha256())
        case .rsa(let exponent, let modulus):
            try reader.end()
            guard let key = PublicKeyHandle(rsa: exponent, modulus) else { return false }
            let length = modulus[0] == 0 ? modulus.count - 1 : modulus.count
            guard !body.isEmpty, body.count <= length else { return false }
            // Some agents leave leading zeros out, and OpenSSH takes them (ssh-rsa.c).
            let whole = [UInt8](repeating: 0, count: length - body.count) + body
            switch algorithm {
            case "rsa-sha2-512": return key.verify(whole, over: message, hash: EVP_sha512())
            case "rsa-sha2-256": return key.verify(whole, over: message, hash: EVP_sha256())
            default: return false
            }
        }
    }

    /// PROTOCOL.u2f: the token signs digests of application and message, what its owner did, and a counter.
    private static func isOfToken(
        _ key: VerifyingKey,
        _ application: [UInt8],
        _ body: [UInt8],
        _ reader: inout SSHReader,
        over message: [UInt8]
    ) throws(Failure) -> Bool {
        let deed = try reader.byte()
        let counter = try reader.raw(4)
        try reader.end()
        let isTouched = deed & 1 == 1
        let signed = SHA256.digest(of: application).bytes + [deed] + counter + SHA256.digest(of: message).bytes
        return isTouched && body.count == 64 && key.verify(body, over: signed)
    }

    private static func derSignature(_ body: [UInt8]) throws(Failure) -> [UInt8] {
        var reader = SSHReader(body, of: "the ECDSA signature")
        let r = try reader.number()
        let s = try reader.number()
        try reader.end()
        guard r.count <= 33, s.count <= 33 else { throw reader.malformed("a number is too long") }
        return DER.sequence(DER.integer(r) + DER.integer(s))
    }
}

/// Owns one public key that is not Ed25519.
private final class PublicKeyHandle {
    private let pointer: OpaquePointer

    /// RFC 5480: id-ecPublicKey with prime256v1; libcrypto refuses a point that is not on the curve.
    convenience init?(p256 point: [UInt8]) {
        let algorithm: [UInt8] = [
            0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D,
            0x03, 0x01, 0x07,
        ]
        self.init(subjectPublicKeyInfo: DER.sequence(algorithm + DER.bitString(point)))
    }

    /// RFC 3279: rsaEncryption with a NULL.
    convenience init?(rsa exponent: [UInt8], _ modulus: [UInt8]) {
        let algorithm: [UInt8] = [
            0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
        ]
        let key = DER.sequence(DER.integer(modulus) + DER.integer(exponent))
        self.init(subjectPublicKeyInfo: DER.sequence(algorithm + DER.bitString(key)))
    }

    private init?(subjectPublicKeyInfo der: [UInt8]) {
        CryptoLibrary.start()
        defer { ERR_clear_error() }
        let made = der.withUnsafeBufferPointer { buffer in
            var start = buffer.baseAddress
            return d2i_PUBKEY(nil, &start, buffer.count)
        }
        guard let made else { return nil }
        pointer = made
    }

    deinit { EVP_PKEY_free(pointer) }

    func verify(_ signature: [UInt8], over message: [UInt8], hash: OpaquePointer?) -> Bool {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for a signature context") }
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        guard EVP_DigestVerifyInit(context, nil, hash, nil, pointer) == 1 else { return false }
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }
}

/// SHA-512 (FIPS 180-4), which OpenSSH takes for the message.
enum SHA512 {
    static func digest(of bytes: [UInt8]) -> [UInt8] {
        CryptoLibrary.start()
        var digest = [UInt8](repeating: 0, count: 64)
        guard EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha512(), nil) == 1 else {
            preconditionFailure("libcrypto cannot hash: \(CryptoLibrary.lastProblem())")
        }
        return digest
    }
}
