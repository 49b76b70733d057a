public import Base
public import Sealing

/// What a walk over a journal found.
public struct JournalVerification: Sendable {
    /// One thing that is wrong.
    public struct Problem: Hashable, Sendable {
        /// The entry it was seen at.
        public let sequence: UInt64
        /// What is wrong, one line.
        public let text: String
    }

    /// The entries that could be read, in order.
    public let entries: [Entry]
    /// The digest of the last entry.
    public let head: Digest
    /// How many checkpoints carry a signature of a trusted key and fit.
    public let checkpoints: Int
    /// The entries behind the last such checkpoint: nothing but the chain itself holds them.
    public let unsignedTail: [Entry]
    /// What is wrong, in order; empty when the journal is as it was written.
    public let problems: [Problem]

    /// Whether nothing is wrong.
    public var isSound: Bool { problems.isEmpty }

    /// The same as a type: only a sound journal becomes one.
    ///
    /// - Throws: `notVerified` with the first problem.
    public func verified(of caseID: CaseID) throws(Failure) -> VerifiedJournal {
        if let problem = problems.first {
            throw Failure(
                .notVerified,
                "verify the journal",
                on: caseID.text,
                because: problem.text,
                hint: "quell case journal \(caseID) --verify"
            )
        }
        return VerifiedJournal(caseID: caseID, entries: entries, head: head)
    }
}

/// The entries of a journal whose chain and checkpoints were found to hold. Only a verification makes one.
public struct VerifiedJournal: Sendable {
    /// Whose.
    public let caseID: CaseID
    /// All entries in order.
    public let entries: [Entry]
    /// The digest of the last.
    public let head: Digest
}

/// Verifies entries that left their database, such as a bundle's data/journal.jsonl.
public enum ExportedJournal {
    /// Walks the lines as ``Journal/verify(keys:anchors:)`` does. What is wrong is in the result.
    public static func verify(
        _ bytes: [UInt8],
        of caseID: CaseID,
        keys: [VerifyingKey],
        anchors: [SignedNote] = []
    ) -> JournalVerification {
        var walk = ChainWalk(of: caseID, keys: keys, anchors: anchors)
        for line in bytes.completeLines { walk.take(Array(line)) }
        if !bytes.tornLine.isEmpty { walk.take(Array(bytes.tornLine)) }
        return walk.end()
    }
}
