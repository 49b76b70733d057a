public import Base

/// Whoever signs: a key in this process, or one that an agent holds and never gives out.
public enum Signer: Sendable {
    /// A key in this process.
    case key(SigningKey)
    /// A key of an ssh-agent.
    case agent(SSHAgent, SSHPublicKey)

    /// The public key.
    public var key: SSHPublicKey {
        switch self {
        case .key(let key): SSHPublicKey(key.verifyingKey)
        case .agent(_, let key): key
        }
    }

    /// The key as one that may seal a bundle, which only Ed25519 does.
    ///
    /// - Throws: `refused` for any other type, a token among them.
    public func sealingKey() throws(Failure) -> VerifyingKey {
        guard let key = key.verifyingKey else {
            throw Failure(
                .refused,
                "seal with the key",
                on: key.fingerprint,
                because: "it is a \(key.kind.rawValue), and seals are Ed25519",
                hint: "other keys countersign: quell bundle countersign"
            )
        }
        return key
    }

    /// The signature in the form of its algorithm (RFC 4253 section 6.6). Only this room calls it.
    func sshSignature(over message: [UInt8]) throws(Failure) -> [UInt8] {
        switch self {
        case .key(let key):
            return SSHWire.string(SSHPublicKey.Kind.ed25519.rawValue) + SSHWire.string(try key.sign(message))
        case .agent(let agent, let key): return try agent.sign(message, with: key)
        }
    }

    /// The 64 bytes of an Ed25519 signature. Only this room calls it.
    func rawSignature(over message: [UInt8]) throws(Failure) -> [UInt8] {
        var reader = SSHReader(try sshSignature(over: message), of: "the signature")
        let algorithm = try reader.name()
        let bytes = try reader.string()
        try reader.end()
        guard algorithm == SSHPublicKey.Kind.ed25519.rawValue, bytes.count == 64 else {
            throw reader.malformed("it is a \(algorithm), not Ed25519")
        }
        return bytes
    }
}
