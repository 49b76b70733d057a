import Base
import Bundles
import Sealing

/// By which keys custody is recorded, and whose they are.
struct CustodyKeys {
    private let policy: VerificationPolicy
    private let given: [VerifyingKey]

    /// Takes the keys of a verification, and the one of who records now.
    init(_ policy: VerificationPolicy, besides own: VerifyingKey? = nil) {
        self.policy = policy
        given = policy.trusted + (own.map { [$0] } ?? [])
    }

    /// The key of that fingerprint: one that was given, or of somebody in the trust file.
    func key(_ fingerprint: Digest) -> VerifyingKey? {
        let listed = policy.trust.persons.flatMap(\.keys).compactMap(\.key.verifyingKey)
        return (given + listed).first { $0.fingerprint == fingerprint }
    }

    /// What the trust file says of the key of a record.
    func standing(of key: VerifyingKey, in record: CustodyRecord) -> CustodyStanding {
        guard let owner = policy.trust.owner(of: SSHPublicKey(key)) else {
            let doubt = "the key is nobody's in the trust file: \(record.actor) is claimed"
            return CustodyStanding(owner: nil, doubt: doubt, isContradicted: false)
        }
        if let doubt = ended(owner, key, record) {
            return CustodyStanding(owner: owner.name, doubt: doubt, isContradicted: true)
        }
        guard owner.isKnown(as: record.actor) else {
            // A host that seals signs what people tell it; a person who signs for another does not.
            let isHost = owner.roles.contains(TrustList.sealerRole)
            let doubt = "the key is \(owner.name)'s, not \(record.actor)'s"
            return CustodyStanding(owner: owner.name, doubt: doubt, isContradicted: !isHost)
        }
        // Anybody may read; who hands over does it in a role.
        guard record.kind == .access || owner.roles.contains(record.role) else {
            let doubt = "\(owner.name) does not have the role \(record.role)"
            return CustodyStanding(owner: owner.name, doubt: doubt, isContradicted: true)
        }
        return CustodyStanding(owner: owner.name, doubt: nil, isContradicted: false)
    }

    /// Why the key did not count when the record was made, or does not now: an old time is easily written.
    private func ended(_ owner: TrustedPerson, _ key: VerifyingKey, _ record: CustodyRecord) -> String? {
        let listed = owner.keys.first { $0.key.verifyingKey?.fingerprint == key.fingerprint }
        guard let validity = listed?.validity else { return "the key is not among those of \(owner.name)" }
        return validity.doubt(within: owner.validity, at: record.time, "when it was recorded")
            ?? validity.doubt(within: owner.validity, at: policy.now, "now")
    }
}

/// Whether the name of who acts in a record is a fact.
struct CustodyStanding {
    /// Whose key it is.
    let owner: String?
    /// Why the name is a claim; `nil` when it is the owner's, in that role and time.
    let doubt: String?
    /// Whether the trust file speaks against the record.
    let isContradicted: Bool
}
