public import Base

/// A signature as `ssh-keygen -Y sign` makes and `ssh-keygen -Y verify` checks it, so that whoever approves or countersigns
/// needs no Quell. What it is about stands in the signed bytes as the namespace, see ``PayloadType/sshNamespace`` (RT32).
///
/// Source: OpenSSH's PROTOCOL.sshsig.
public struct SSHSignature: Hashable, Sendable {
    /// The key that is said to have signed; use ``verify(_:as:)``'s result once it matters.
    public let unverifiedKey: SSHPublicKey
    /// What it is said to be about.
    public let unverifiedNamespace: String
    private let hash: Hash
    private let signature: [UInt8]

    private enum Hash: String {
        case sha512
        case sha256

        func digest(of message: [UInt8]) -> [UInt8] {
            switch self {
            case .sha512: SHA512.digest(of: message)
            case .sha256: SHA256.digest(of: message).bytes
            }
        }
    }

    /// The most bytes that the text may have.
    public static let sizeLimit = 16_384

    private static let preamble = Array("SSHSIG".utf8)

    /// Signs `message` with a key of Quell's own.
    ///
    /// - Throws: `system` when libcrypto cannot sign.
    public static func sign(
        _ message: [UInt8],
        as type: PayloadType,
        with key: SigningKey
    ) throws(Failure) -> SSHSignature {
        let made = try key.sign(signed(message, type.sshNamespace, .sha512))
        let body = SSHWire.string(SSHPublicKey.Kind.ed25519.rawValue) + SSHWire.string(made)
        return SSHSignature(SSHPublicKey(key.verifyingKey), type.sshNamespace, .sha512, body)
    }

    /// Signs `message` with whatever key stands behind `signer`.
    ///
    /// - Throws: as ``Signer`` does.
    public static func sign(
        _ message: [UInt8],
        as type: PayloadType,
        with signer: Signer
    ) throws(Failure) -> SSHSignature {
        let made = try signer.sshSignature(over: signed(message, type.sshNamespace, .sha512))
        return SSHSignature(signer.key, type.sshNamespace, .sha512, made)
    }

    private init(_ key: SSHPublicKey, _ namespace: String, _ hash: Hash, _ signature: [UInt8]) {
        unverifiedKey = key
        unverifiedNamespace = namespace
        self.hash = hash
        self.signature = signature
    }

    /// The key that signed `message` as `type`. Whose key that is, and whether that person may, is for the caller.
    ///
    /// - Throws: `notVerified` when it is about something else, or not over these bytes.
    public func verify(_ message: [UInt8], as type: PayloadType) throws(Failure) -> SSHPublicKey {
        guard unverifiedNamespace == type.sshNamespace else {
            throw SSHSignature.unverified("its namespace is \(unverifiedNamespace), not \(type.sshNamespace)")
        }
        let signed = SSHSignature.signed(message, unverifiedNamespace, hash)
        guard try unverifiedKey.verifies(signature, over: signed) else {
            throw SSHSignature.unverified("it is not by the key \(unverifiedKey.fingerprint) over these bytes")
        }
        return unverifiedKey
    }

    /// The bytes that are signed: namespace and hash stand in them.
    private static func signed(_ message: [UInt8], _ namespace: String, _ hash: Hash) -> [UInt8] {
        preamble + SSHWire.string(namespace) + SSHWire.string("") + SSHWire.string(hash.rawValue)
            + SSHWire.string(hash.digest(of: message))
    }

    private static func unverified(_ reason: String) -> Failure {
        Failure(.notVerified, "verify the SSH signature", on: "SSHSIG", because: reason)
    }
}

extension SSHSignature {
    private var blob: [UInt8] {
        SSHSignature.preamble + SSHWire.uint32(1) + SSHWire.string(unverifiedKey.blob)
            + SSHWire.string(unverifiedNamespace) + SSHWire.string("") + SSHWire.string(hash.rawValue)
            + SSHWire.string(signature)
    }

    /// The armored text as `ssh-keygen` writes it, lines of 70, with a final newline.
    public var text: String { SSHArmor.text(blob) }

    /// Reads the armored text. Its lines may have another width than ours, as other programs write it; nothing may stand
    /// around it.
    ///
    /// - Throws: `malformed`.
    public init(parsing text: [UInt8]) throws(Failure) {
        let blob = try SSHArmor.blob(text)
        var reader = SSHReader(blob, of: "the SSH signature")
        guard try reader.raw(6) == SSHSignature.preamble else { throw reader.malformed("its preamble is not SSHSIG") }
        guard try reader.uint32() == 1 else { throw reader.malformed("its version is not 1") }
        let key = try SSHPublicKey(blob: try reader.string())
        let namespace = try reader.name()
        guard try reader.string().isEmpty else { throw reader.malformed("its reserved member is not empty") }
        guard let hash = Hash(rawValue: try reader.name()) else {
            throw reader.malformed("its hash is neither sha512 nor sha256")
        }
        let signature = try reader.string()
        try reader.end()
        self.init(key, namespace, hash, signature)
    }
}

/// The text around the bytes.
private enum SSHArmor {
    static let begin = "-----BEGIN SSH SIGNATURE-----"
    static let end = "-----END SSH SIGNATURE-----"

    static func text(_ blob: [UInt8]) -> String {
        var rest = Base64.encode(blob)[...]
        var lines = [begin]
        while !rest.isEmpty {
            lines.append(String(rest.prefix(70)))
            rest = rest.dropFirst(70)
        }
        return (lines + [end]).joined(separator: "\n") + "\n"
    }

    /// All lines but the last have one width, of at most 76.
    static func blob(_ text: [UInt8]) throws(Failure) -> [UInt8] {
        guard text.count <= SSHSignature.sizeLimit else { throw malformed("it has \(text.count) bytes") }
        var lines = text.split(separator: 0x0A, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        guard lines.count >= 3, lines.first?.elementsEqual(begin.utf8) == true,
            lines.last?.elementsEqual(end.utf8) == true
        else { throw malformed("it does not begin and end as one") }
        let body = lines.dropFirst().dropLast()
        let width = body.first?.count ?? 0
        guard (1...76).contains(width), body.dropLast().allSatisfy({ $0.count == width }),
            (1...width).contains(body.last?.count ?? 0)
        else { throw malformed("its lines differ in width") }
        let joined = String(decoding: body.joined(), as: UTF8.self)
        guard let blob = Base64.decode(joined) else { throw malformed("its base64 is not whole") }
        return blob
    }

    private static func malformed(_ reason: String) -> Failure {
        Failure(.malformed, "read the SSH signature", on: "SSHSIG", because: reason)
    }
}
