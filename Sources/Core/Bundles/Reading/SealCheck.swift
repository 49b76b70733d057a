import Base
import Sealing

/// Reads the seal and says who stands behind it.
struct SealCheck {
    let policy: VerificationPolicy

    func read(
        _ bytes: [UInt8],
        named name: String
    ) throws(Problem) -> (statement: InTotoStatement, signer: VerifiedBundle.Signer) {
        if name == BundleFiles.unsignedStatement {
            let statement = try form(name) { () throws(Failure) in try InTotoStatement(parsing: bytes) }
            if let signer = statement.signer {
                throw wrong(.signature, name, "the signature of \(signer)", "none")
            }
            if let fingerprint = policy.fingerprint {
                throw wrong(.signature, name, "a signature by the key \(fingerprint)", "no signature")
            }
            return (statement, .unsigned)
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
        guard let key = policy.trusted.first(where: { $0.fingerprint == signer }) else {
            if policy.fingerprint != nil {
                throw wrong(.signature, name, "the key \(signer) to check the signature with", "no such key was given")
            }
            return (statement, .unknown(fingerprint: signer))
        }
        do {
            _ = try envelope.verify(as: .seal, with: key)
        } catch {
            throw wrong(.signature, name, "a signature by the key \(signer)", error.reason)
        }
        return (statement, .trusted(fingerprint: signer))
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
