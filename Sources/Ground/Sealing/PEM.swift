import Base

/// The two PEM texts (RFC 7468) that Quell reads and writes. An Ed25519 key in DER is a fixed prefix and 32 bytes
/// (RFC 8410), so there is exactly one text for each key, and only that text is accepted. `openssl pkey` writes the same.
enum PEM {
    /// What the text holds.
    enum Kind: String {
        /// A PKCS#8 `OneAsymmetricKey` of version 1 without attributes: the 32 bytes are the seed.
        case privateKey = "PRIVATE KEY"
        /// A `SubjectPublicKeyInfo`: the 32 bytes are the public key.
        case publicKey = "PUBLIC KEY"

        /// The DER in front of the 32 bytes.
        var prefix: [UInt8] {
            switch self {
            case .privateKey:
                // SEQUENCE { INTEGER 0, SEQUENCE { OID 1.3.101.112 }, OCTET STRING { OCTET STRING { 32 bytes } } }
                [0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]
            case .publicKey:
                // SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING { 0 unused bits, 32 bytes } }
                [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]
            }
        }
    }

    /// The PEM text of `key`, with a final newline.
    static func text(_ kind: Kind, _ key: [UInt8]) -> String {
        let body = Base64.encode(kind.prefix + key)
        return "-----BEGIN \(kind.rawValue)-----\n\(body)\n-----END \(kind.rawValue)-----\n"
    }

    /// The 32 bytes, or `nil` when `text` is not exactly what ``text(_:_:)`` writes; a missing final newline is allowed.
    static func key(_ kind: Kind, in text: String) -> [UInt8]? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 3 || (lines.count == 4 && lines[3].isEmpty) else { return nil }
        guard lines[0] == "-----BEGIN \(kind.rawValue)-----", lines[2] == "-----END \(kind.rawValue)-----" else {
            return nil
        }
        guard let der = Base64.decode(String(lines[1])), der.starts(with: kind.prefix) else { return nil }
        let key = Array(der.dropFirst(kind.prefix.count))
        return key.count == 32 ? key : nil
    }
}
