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
        /// Whose key it is, when only the trust list knows it.
        var owner: TrustedPerson?
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
        guard let (key, owner) = known(signer) else {
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
            owner: owner
        )
    }

    /// The key of that fingerprint; its owner when it is not among those that always count.
    private func known(_ fingerprint: Digest) -> (VerifyingKey, TrustedPerson?)? {
        if let key = policy.trusted.first(where: { $0.fingerprint == fingerprint }) { return (key, nil) }
        for person in policy.trust.persons {
            for key in person.keys.compactMap(\.key.verifyingKey) where key.fingerprint == fingerprint {
                return (key, person)
            }
        }
        return nil
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
