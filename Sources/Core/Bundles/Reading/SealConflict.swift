public import Base

extension VerifiedBundle {
    /// What is wrong when both claim to be the same seal: one case, one session, one number, and another root (RT31).
    /// `nil` when they are one bundle, or two different ones.
    public func conflict(with other: VerifiedBundle) -> VerificationFinding? {
        guard statement.caseID == other.statement.caseID, statement.number == other.statement.number,
            statement.pins == other.statement.pins
        else { return nil }
        return conflict(withRoot: other.root, in: "the other bundle")
    }

    /// The same against the root that `place` knows for this seal of this case.
    public func conflict(withRoot known: Digest, in place: String) -> VerificationFinding? {
        guard known != root else { return nil }
        return VerificationFinding(
            .seal,
            in: "seal \(statement.number) of case \(statement.caseID)",
            expected: "the root \(known), as \(place) has it",
            found: "\(root): two seals of one number"
        )
    }
}
