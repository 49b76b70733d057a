public import Base
public import Sealing

/// Whether a key that the trust list knows counts as the signer of a seal: its owner has the role, and it counts at the
/// time of a trusted timestamp, or now where there is none (RT31). A key that was given, such as the store's own, needs no
/// role; but where the list says that its time is over, that wins.
struct SealStanding {
    /// The role in which a person, or a host by a name of its own, seals.
    static let role = "sealer"

    let signer: VerifiedBundle.Signer
    var doubt: String?
    var name: String?

    init(of seal: SealCheck.Reading, _ timestamp: VerifiedBundle.Timestamp, _ policy: VerificationPolicy) {
        guard let owner = seal.owner, case .trusted(let fingerprint) = seal.signer else {
            signer = seal.signer
            return
        }
        name = owner.name
        doubt = Self.doubt(owner, seal.isGiven, fingerprint, timestamp, policy.now)
        signer = doubt == nil ? seal.signer : .unknown(fingerprint: fingerprint)
    }

    private static func doubt(
        _ owner: TrustedPerson,
        _ isGiven: Bool,
        _ fingerprint: Digest,
        _ timestamp: VerifiedBundle.Timestamp,
        _ now: Instant
    ) -> String? {
        guard isGiven || owner.roles.contains(role) else { return "\(owner.name) does not have the role \(role)" }
        guard let key = owner.keys.first(where: { $0.key.verifyingKey?.fingerprint == fingerprint }) else { return nil }
        if case .trusted(let statement) = timestamp {
            return key.validity.doubt(within: owner.validity, at: statement.time, "the time of the timestamp")
        }
        guard let doubt = key.validity.doubt(within: owner.validity, at: now, "now") else { return nil }
        return "\(doubt), and no trusted timestamp shows that it was sealed while it counted"
    }
}

extension Validity {
    /// Why a key does not count at `moment`, which is called `name`; `nil` when it does. `outer` is its owner's time.
    public func doubt(within outer: Validity, at moment: Instant, _ name: String) -> String? {
        for validity in [outer, self] {
            if let from = validity.from, moment < from {
                return "the key counts from \(from), not yet at \(moment), \(name)"
            }
            if let to = validity.to, moment >= to { return "the key counted until \(to), not at \(moment), \(name)" }
        }
        return nil
    }
}

extension TrustList {
    /// The role of who seals: a host by a name of its own, or a person.
    public static let sealerRole = SealStanding.role

    /// The keys of everybody who may seal, whenever they count.
    public var sealingKeys: [VerifyingKey] {
        persons.filter { $0.roles.contains(SealStanding.role) }.flatMap(\.keys).compactMap(\.key.verifyingKey)
    }
}
