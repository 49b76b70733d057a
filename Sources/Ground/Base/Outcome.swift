/// How a command ended: the exit status, DESIGN section 4. The order of the cases is the order of the manual.
public enum Outcome: Int32, Sendable, CaseIterable, Codable {
    /// Done; for freeze: confirmed.
    case done = 0
    /// Failed.
    case failed = 1
    /// No such session, or several.
    case noSuchSession = 2
    /// Partly done, unconfirmed, or signer unknown; what is left is listed.
    case partial = 3
    /// Evidence does not verify.
    case notVerified = 4
    /// Refused by policy, approval or order.
    case refused = 5
    /// The arguments are wrong.
    case usage = 64
    /// Waiting for approval.
    case waiting = 75
    /// Not permitted; the exact sudo line is printed.
    case notPermitted = 77
    /// Cancelled from the keyboard.
    case cancelled = 130

    /// The outcome that a failure leads to.
    public init(_ failure: Failure) {
        self =
            switch failure.code {
            case .notFound, .ambiguous: .noSuchSession
            case .notPermitted: .notPermitted
            case .refused: .refused
            case .waiting: .waiting
            case .notVerified: .notVerified
            case .usage: .usage
            case .cancelled: .cancelled
            case .timedOut: .partial
            default: .failed
            }
    }

    /// What the status means, one line.
    public var meaning: String {
        switch self {
        case .done: "done; for freeze: confirmed"
        case .failed: "failed"
        case .noSuchSession: "no such session, or several"
        case .partial: "partly done, unconfirmed, or signer unknown; what is left is listed"
        case .notVerified: "evidence does not verify"
        case .refused: "refused by policy, approval or order"
        case .usage: "usage"
        case .waiting: "waiting for approval"
        case .notPermitted: "not permitted; the exact sudo line is printed"
        case .cancelled: "cancelled"
        }
    }
}
