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

    /// How far the record can be believed.
    ///
    /// In a store with a key, each commit that holds the outcome of an effect, a capture, a hand-over, the end of the case
    /// or what was recorded outside the store ends with a signed checkpoint (RT15), and no such commit also holds the
    /// start of another run. So an outcome that no checkpoint follows before the next run starts, before the case is
    /// closed, or before the journal ends was written without the key. Either the case is older than the key, because it
    /// was opened before `quell init` or while the key could not be used, or somebody rebuilt the journal without it. The
    /// journal alone does not tell which, so neither is called sound, and a checkpoint that comes later mends nothing:
    /// it signs what it finds.
    ///
    /// An unsigned journal is still acted upon: a session that was frozen before `quell init` can be thawed after it.
    public enum Standing: String, Hashable, Sendable, Codable {
        /// Chain and checkpoints hold, and each outcome was signed when it was written.
        case sound
        /// Chain and checkpoints hold, but there are outcomes that the key did not sign when they were written.
        case unsigned
        /// Something is wrong.
        case broken
    }

    /// How far the record can be believed.
    public var standing: Standing {
        guard problems.isEmpty else { return .broken }
        return firstUnsigned == nil ? .sound : .unsigned
    }

    /// The first entry whose outcome was not signed when it was written; `nil` when all were.
    public let firstUnsigned: UInt64?
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
    /// Where heads may stand that it was not compared with, because they could not be read (RT15). It is not wrong for
    /// that, and not known to be right.
    public let unread: [Failure]

    /// Whether nothing is wrong, each outcome was signed when it was written, and all that could tell of a rollback was
    /// looked at.
    public var isSound: Bool { standing == .sound && unread.isEmpty }

    /// The same as a type: a journal with a problem never becomes one. One that is merely unsigned does, see ``Standing``.
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
    /// Walks the lines as ``Journal/verify(keys:notes:)`` does. What is wrong is in the result.
    public static func verify(
        _ bytes: [UInt8],
        of caseID: CaseID,
        keys: [VerifyingKey],
        notes: [SignedNote] = []
    ) -> JournalVerification {
        var walk = ChainWalk(of: caseID, keys: keys, notes: notes, anchors: AnchorLook())
        for line in bytes.completeLines { walk.take(Array(line)) }
        if !bytes.tornLine.isEmpty { walk.take(Array(bytes.tornLine)) }
        return walk.end()
    }
}
