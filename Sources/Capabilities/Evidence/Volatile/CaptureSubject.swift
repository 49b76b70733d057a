public import Base

/// One process that a capture looks at, and why.
public struct CaptureSubject: Hashable, Sendable {
    /// How it belongs to the session.
    public enum Membership: String, Hashable, Sendable {
        /// Of the session.
        case member
        /// Outside the session's cgroups but of the session.
        case stray
        /// Inside but not of it.
        case guest
    }

    /// Which process.
    public let pin: ProcessPin
    /// How it belongs to the session.
    public let membership: Membership
    /// The marks that say so, such as `lineage`; words of Quell's own.
    public let marks: [String]

    /// Takes all parts.
    public init(pin: ProcessPin, membership: Membership, marks: [String] = []) {
        self.pin = pin
        self.membership = membership
        self.marks = marks
    }
}
