public import Base

/// The head of a journal at some moment as something outside of it tells, such as the signed seal of a bundle: a journal
/// that does not reach it, or that has another entry there, was rolled back or rewritten (RT15).
public struct JournalAnchor: Hashable, Sendable {
    /// How many entries there were.
    public let size: UInt64
    /// The digest of the last of them.
    public let head: Digest
    /// What tells it, in words of ours: `the seal of amber-7f3a-1`.
    public let place: String

    /// Takes all parts.
    public init(size: UInt64, head: Digest, place: String) {
        self.size = size
        self.head = head
        self.place = place
    }
}

/// What a look for anchors came to.
public struct AnchorLook: Sendable {
    /// The heads that were found.
    public var anchors: [JournalAnchor]
    /// What may hold others and could not be read: nobody knows whether the journal fits them.
    public var unread: [Failure]

    /// Takes both parts.
    public init(_ anchors: [JournalAnchor] = [], unread: [Failure] = []) {
        self.anchors = anchors
        self.unread = unread
    }
}

/// Finds the anchors of a case beside its journal: given by a room that knows the form of bundles. What is signed by no key
/// of the store anchors nothing.
public typealias AnchorSource = @Sendable (_ caseID: CaseID, _ folder: BytePath) -> AnchorLook
