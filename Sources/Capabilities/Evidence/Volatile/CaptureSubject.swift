public import Base
public import Sessions

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

    /// A subject as the session's room names it.
    public init(_ subject: SessionSnapshot.Subject) {
        let membership: Membership =
            switch subject.membership {
            case .member: .member
            case .stray: .stray
            case .guest: .guest
            }
        self.init(pin: subject.pin, membership: membership, marks: subject.marks.map(\.kind.rawValue))
    }
}
