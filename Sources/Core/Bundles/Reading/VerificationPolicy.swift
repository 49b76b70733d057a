public import Base
public import Sealing

/// What a verification is told from outside the bundle. There is no default: who verifies says whom to trust.
public struct VerificationPolicy: Sendable {
    /// Judges data/journal.jsonl against the checkpoint that the seal pins: `nil` when it holds, else what is wrong. Given
    /// by a room that knows the journal's form.
    public typealias JournalCheck = @Sendable (_ journal: [UInt8], SealStatement.Checkpoint) -> VerificationFinding?

    /// Keys whose seals are trusted.
    public var trusted: [VerifyingKey]
    /// The fingerprint from the ticket: when given, the seal must be by that key, and the key be among `trusted` (RT19).
    public var fingerprint: Digest?
    /// Persons and hosts whose keys count in their time and roles. A key of ``trusted`` counts in any role, but not outside of
    /// the time that stands here.
    public var trust: TrustList
    /// Whose timestamps count.
    public var timeAuthorities: [TimeAuthority]
    /// When the verification takes place: keys that no trusted timestamp speaks for are judged now.
    public var now: Instant
    /// The judge of the journal; without one only its presence is checked.
    public var journal: JournalCheck?

    /// Takes all parts.
    public init(
        trusting trusted: [VerifyingKey],
        fingerprint: Digest? = nil,
        trust: TrustList = .empty,
        timeAuthorities: [TimeAuthority] = [],
        now: Instant = .now(),
        journal: JournalCheck? = nil
    ) {
        self.trusted = trusted
        self.fingerprint = fingerprint
        self.trust = trust
        self.timeAuthorities = timeAuthorities + trust.timeAuthorities
        self.now = now
        self.journal = journal
    }
}
