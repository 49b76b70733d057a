public import Base

/// A public key as OpenSSH knows it: who signs an approval or a hand-over has one already. Its bytes are checked, so that
/// two equal keys have equal bytes.
///
/// Sources: RFC 4253 section 6.6, RFC 5656, RFC 8709, OpenSSH's PROTOCOL.u2f.
public struct SSHPublicKey: Hashable, Sendable {
    /// The types of keys that are understood.
    public enum Kind: String, Sendable, CaseIterable {
        /// Ed25519.
        case ed25519 = "ssh-ed25519"
        /// ECDSA over NIST P-256.
        case p256 = "ecdsa-sha2-nistp256"
        /// RSA of 2048 to 8192 bits; signs with SHA-256 or SHA-512, never with SHA-1.
        case rsa = "ssh-rsa"
        /// Ed25519 in a token that wants to be touched.
        case token = "sk-ssh-ed25519@openssh.com"
    }

    /// Its type.
    public let kind: Kind
    /// The key in the form of RFC 4253.
    public let blob: [UInt8]
    /// The numbers of the key, by its type.
    let material: SSHKeyMaterial

    /// Reads the form of RFC 4253.
    ///
    /// - Throws: `malformed` for a type that is not understood, a short RSA key, or anything that is no key.
    public init(blob: [UInt8]) throws(Failure) {
        var reader = SSHReader(blob, of: "the SSH public key")
        let name = try reader.name()
        guard let kind = Kind(rawValue: name) else {
            let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw reader.malformed("keys of type \(name) are not understood, only \(known)")
        }
        self.kind = kind
        self.blob = blob
        material = try SSHKeyMaterial(kind, &reader)
        try reader.end()
    }

    /// Reads one line as `id_ed25519.pub`, authorized_keys and allowed_signers have it: type, base64, and a comment that
    /// is ignored; in front of it may stand the principals of allowed_signers, which are ignored as well, because whose a
    /// key is is told elsewhere.
    ///
    /// - Throws: `malformed` for everything else; for options, too, because they would not be heeded.
    public init(line: String) throws(Failure) {
        let subject = "the SSH public key"
        guard line.utf8.count <= 16_384, !line.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) else {
            throw Failure(.malformed, "read", on: subject, because: "it is too long or has a control character")
        }
        let words = line.split { $0 == " " || $0 == "\t" }
        func isKind(_ index: Int) -> Bool {
            words.indices.contains(index + 1) && Kind(rawValue: String(words[index])) != nil
        }
        guard let start = [0, 1].first(where: isKind) else {
            let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(
                .malformed,
                "read",
                on: subject,
                because: "it is not \"TYPE BASE64\" with a type of \(known) and without options"
            )
        }
        guard let blob = Base64.decode(String(words[start + 1])) else {
            throw Failure(.malformed, "read", on: subject, because: "its base64 is not whole")
        }
        try self.init(blob: blob)
        guard kind.rawValue == words[start] else {
            throw Failure(.malformed, "read", on: subject, because: "it is a \(kind.rawValue), not a \(words[start])")
        }
    }

    /// The same key as one of Quell's own.
    public init(_ key: VerifyingKey) {
        kind = .ed25519
        blob = SSHWire.string(Kind.ed25519.rawValue) + SSHWire.string(key.bytes)
        material = .ed25519(key)
    }

    /// The same key as one that may seal a bundle; `nil` for every type but Ed25519, and for a token, which signs more than
    /// it is given.
    public var verifyingKey: VerifyingKey? {
        guard case .ed25519(let key) = material else { return nil }
        return key
    }

    /// Type and base64, without a comment.
    public var line: String { "\(kind.rawValue) \(Base64.encode(blob))" }

    /// As `ssh-keygen -l` prints it: `SHA256:` and base64 without padding.
    public var fingerprint: String {
        "SHA256:" + Base64.encode(SHA256.digest(of: blob).bytes).prefix { $0 != "=" }
    }

    /// Equal bytes are equal keys.
    public static func == (left: SSHPublicKey, right: SSHPublicKey) -> Bool { left.blob == right.blob }
    /// Hashes the bytes.
    public func hash(into hasher: inout Swift.Hasher) { hasher.combine(blob) }
}

/// The numbers of a key.
enum SSHKeyMaterial: Sendable {
    case ed25519(VerifyingKey)
    /// The uncompressed point.
    case p256([UInt8])
    case rsa(exponent: [UInt8], modulus: [UInt8])
    case token(VerifyingKey, application: [UInt8])

    init(_ kind: SSHPublicKey.Kind, _ reader: inout SSHReader) throws(Failure) {
        switch kind {
        case .ed25519: self = .ed25519(try SSHKeyMaterial.key(&reader))
        case .p256:
            guard try reader.name() == "nistp256" else { throw reader.malformed("its curve is not nistp256") }
            let point = try reader.string()
            guard point.count == 65, point[0] == 4 else { throw reader.malformed("its point is not of its form") }
            self = .p256(point)
        case .rsa:
            let exponent = try reader.number()
            let modulus = try reader.number()
            let bits = SSHKeyMaterial.bits(of: modulus)
            guard (2048...8192).contains(bits) else { throw reader.malformed("it has \(bits) bits, not 2048 to 8192") }
            guard exponent.count <= 5, let last = exponent.last, last & 1 == 1, exponent != [1] else {
                throw reader.malformed("its exponent is none")
            }
            self = .rsa(exponent: exponent, modulus: modulus)
        case .token:
            let key = try SSHKeyMaterial.key(&reader)
            self = .token(key, application: try reader.string())
        }
    }

    private static func key(_ reader: inout SSHReader) throws(Failure) -> VerifyingKey {
        guard let key = VerifyingKey(bytes: try reader.string()) else {
            throw reader.malformed("it is not 32 bytes of Ed25519")
        }
        return key
    }

    private static func bits(of number: [UInt8]) -> Int {
        let digits = number.drop { $0 == 0 }
        guard let first = digits.first else { return 0 }
        return digits.count * 8 - first.leadingZeroBitCount
    }
}
