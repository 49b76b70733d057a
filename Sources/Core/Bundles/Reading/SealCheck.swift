import Base
import Sealing

/// Reads the seal and says who stands behind it.
struct SealCheck {
    /// What the seal says, and by whose key.
    struct Reading {
        let statement: InTotoStatement
        let signer: VerifiedBundle.Signer
        /// What a timestamp is over; `nil` without a signature.
        var signature: [UInt8]?
        /// Whose key it is, when the trust list knows it.
        var owner: TrustedPerson?
        /// Whether the key was given beside the trust list: it needs no role then.
        var isGiven = false
    }

    let policy: VerificationPolicy

    func read(_ bytes: [UInt8], named name: String) throws(Problem) -> Reading {
        if name == BundleFiles.unsignedStatement {
            let statement = try form(name) { () throws(Failure) in try InTotoStatement(parsing: bytes) }
            if let signer = statement.signer {
                throw wrong(.signature, name, "the signature of \(signer)", "none")
            }
            if let fingerprint = policy.fingerprint {
                throw wrong(.signature, name, "a signature by the key \(fingerprint)", "no signature")
            }
            return Reading(statement: statement, signer: .unsigned)
        }
        let envelope = try form(name) { () throws(Failure) in try DSSE.Envelope(parsing: bytes) }
        guard envelope.payloadType == PayloadType.seal.rawValue else {
            throw wrong(.seal, name, PayloadType.seal.rawValue, envelope.payloadType)
        }
        let statement = try form(name) { () throws(Failure) in
            try InTotoStatement(parsing: envelope.unverifiedPayload)
        }
        guard envelope.signatures.count == 1, let signature = envelope.signatures.first else {
            throw wrong(.signature, name, "one signature", "\(envelope.signatures.count)")
        }
        guard let signer = statement.signer, signer == signature.keyID else {
            let said = statement.signer.map(\.hex) ?? "absent"
            throw wrong(
                .signature,
                name,
                "a signature by the key that the statement names, \(said)",
                signature.keyID.hex
            )
        }
        if let fingerprint = policy.fingerprint, fingerprint != signer {
            throw wrong(.signature, name, "a signature by the key \(fingerprint)", "one by the key \(signer)")
        }
        guard let (key, isGiven) = known(signer) else {
            if policy.fingerprint != nil {
                throw wrong(.signature, name, "the key \(signer) to check the signature with", "no such key was given")
            }
            let unknown = VerifiedBundle.Signer.unknown(fingerprint: signer)
            return Reading(statement: statement, signer: unknown, signature: signature.bytes)
        }
        do {
            _ = try envelope.verify(as: .seal, with: key)
        } catch {
            throw wrong(.signature, name, "a signature by the key \(signer)", error.reason)
        }
        return Reading(
            statement: statement,
            signer: .trusted(fingerprint: signer),
            signature: signature.bytes,
            owner: policy.trust.owner(of: SSHPublicKey(key)),
            isGiven: isGiven
        )
    }

    /// The key of that fingerprint, and whether it was given beside the trust list.
    private func known(_ fingerprint: Digest) -> (VerifyingKey, isGiven: Bool)? {
        if let key = policy.trusted.first(where: { $0.fingerprint == fingerprint }) { return (key, true) }
        let listed = policy.trust.persons.flatMap(\.keys).compactMap(\.key.verifyingKey)
        return listed.first { $0.fingerprint == fingerprint }.map { ($0, false) }
    }

    private func form<Result>(_ name: String, _ body: () throws(Failure) -> Result) throws(Problem) -> Result {
        do {
            return try body()
        } catch {
            throw wrong(.seal, name, "a seal in canonical form", "\(error.subject): \(error.reason)")
        }
    }

    private func wrong(
        _ check: VerificationFinding.Check,
        _ name: String,
        _ expected: String,
        _ found: String
    ) -> Problem {
        .finding(VerificationFinding(check, in: name, expected: expected, found: found))
    }
}
