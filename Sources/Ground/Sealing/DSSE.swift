public import Base

/// Dead Simple Signing Envelope 1.0.2 (https://github.com/secure-systems-lab/dsse): the signature covers the payload's
/// type and its exact bytes.
public enum DSSE {
    /// What a DSSE envelope may have at most: 16 MiB of text and 16 signatures.
    static let sizeLimit = 16 << 20
    static let signatureLimit = 16

    /// Signs `payload` as `type`.
    ///
    /// - Throws: `system` when libcrypto cannot sign.
    public static func sign(
        _ payload: [UInt8],
        as type: PayloadType,
        with key: SigningKey
    ) throws(Failure) -> Envelope {
        let signature = try key.sign(preAuthenticationEncoding(type.rawValue, payload))
        let entry = Envelope.Signature(keyID: key.verifyingKey.fingerprint, bytes: signature)
        return Envelope(payloadType: type.rawValue, unverifiedPayload: payload, signatures: [entry])
    }

    /// Signs `payload` as `type` with whatever Ed25519 key stands behind `signer`.
    ///
    /// - Throws: `refused` for a key of another type, and as ``Signer`` does.
    public static func sign(_ payload: [UInt8], as type: PayloadType, with signer: Signer) throws(Failure) -> Envelope {
        let key = try signer.sealingKey()
        let signature = try signer.rawSignature(over: preAuthenticationEncoding(type.rawValue, payload))
        let entry = Envelope.Signature(keyID: key.fingerprint, bytes: signature)
        return Envelope(payloadType: type.rawValue, unverifiedPayload: payload, signatures: [entry])
    }

    /// The bytes that are signed: `DSSEv1 LEN(type) type LEN(body) body`, lengths in decimal bytes.
    public static func preAuthenticationEncoding(_ type: String, _ payload: [UInt8]) -> [UInt8] {
        Array("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
    }

    /// A signed payload that nobody has checked yet.
    public struct Envelope: Hashable, Sendable {
        /// One signature and the fingerprint of the key that is said to have made it; the name is a hint, not a proof.
        public struct Signature: Hashable, Sendable {
            /// The fingerprint of the key.
            public let keyID: Digest
            /// The 64 bytes.
            public let bytes: [UInt8]
        }

        /// The payload's media type as it stands in the envelope.
        public let payloadType: String
        /// The payload as it stands in the envelope; use ``verify(as:with:)``'s result once it matters.
        public let unverifiedPayload: [UInt8]
        /// The signatures in their order.
        public let signatures: [Signature]
    }
}

extension DSSE.Envelope {
    /// The envelope as canonical JSON (RFC 8785), without a final newline.
    public var bytes: [UInt8] {
        let signatures = signatures.map { signature -> JSONValue in
            ["keyid": .string(signature.keyID.hex), "sig": .string(Base64.encode(signature.bytes))]
        }
        return CanonicalJSON.bytes(of: [
            "payload": .string(Base64.encode(unverifiedPayload)),
            "payloadType": .string(payloadType),
            "signatures": .array(signatures),
        ])
    }

    /// Reads exactly what ``bytes`` writes: other spacing, members, order or base64 are refused.
    ///
    /// - Throws: `malformed`.
    public init(parsing text: [UInt8]) throws(Failure) {
        let value = try JSONReader.read(text, limits: .init(bytes: DSSE.sizeLimit, depth: 8))
        guard
            let payload = value["payload"]?.string.flatMap(Base64.decode),
            let type = value["payloadType"]?.string,
            let entries = value["signatures"]?.array, (1...DSSE.signatureLimit).contains(entries.count)
        else { throw DSSE.Envelope.malformed("payload, payloadType or signatures are missing or not of their form") }
        var signatures: [Signature] = []
        for entry in entries {
            guard let keyID = entry["keyid"]?.string.flatMap({ Digest(hex: $0) }),
                let bytes = entry["sig"]?.string.flatMap(Base64.decode), bytes.count == 64
            else { throw DSSE.Envelope.malformed("a signature is not of its form") }
            signatures.append(Signature(keyID: keyID, bytes: bytes))
        }
        self.init(payloadType: type, unverifiedPayload: payload, signatures: signatures)
        guard self.bytes == text else { throw DSSE.Envelope.malformed("not in canonical form") }
    }

    /// The payload, after a signature of `key` over it as `type` was found.
    ///
    /// - Throws: `notVerified` when the type is another one or no signature is by `key`.
    public func verify(as type: PayloadType, with key: VerifyingKey) throws(Failure) -> [UInt8] {
        guard payloadType == type.rawValue else {
            throw DSSE.Envelope.unverified("it is a \(payloadType), not a \(type.rawValue)")
        }
        let message = DSSE.preAuthenticationEncoding(payloadType, unverifiedPayload)
        guard signatures.contains(where: { key.verify($0.bytes, over: message) }) else {
            throw DSSE.Envelope.unverified("no signature is by the key \(key.fingerprint)")
        }
        return unverifiedPayload
    }

    private static func malformed(_ reason: String) -> Failure {
        Failure(.malformed, "read the envelope", on: "DSSE", because: reason)
    }

    private static func unverified(_ reason: String) -> Failure {
        Failure(.notVerified, "verify the envelope", on: "DSSE", because: reason)
    }
}
