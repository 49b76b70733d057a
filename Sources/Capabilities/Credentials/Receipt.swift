public import Base
public import Kernel

/// Whether a revocation outlives a restart of the provider.
public enum Persistence: String, Hashable, Sendable, Codable {
    /// It was read back from the provider's file.
    case seenOnDisk
    /// It holds only until the provider restarts.
    case untilRestart
    /// The provider's file could not be read, or does not tell.
    case notKnown
}

/// Another login of the provider that the principal's secret opens, too (RT40).
public struct SiblingCredential: Hashable, Sendable, Codable {
    /// The login.
    public let principal: String
    /// Whether it is enabled.
    public let isEnabled: Bool

    /// Takes both parts.
    public init(principal: String, isEnabled: Bool) {
        self.principal = principal
        self.isEnabled = isEnabled
    }
}

/// What was seen and done to one credential: goes into the journal and the bundle. Holds names, counts and times; no
/// secret and no hash of one.
public struct Receipt: Hashable, Sendable, Codable {
    /// The inventory's id.
    public let credential: String
    /// The public name.
    public let handle: CredentialHandle
    /// Who answered.
    public let server: ServerIdentity
    /// Before anything was asked.
    public let before: Sighting
    /// Whether the provider accepted every order.
    public let asked: Bool
    /// After the orders.
    public let after: Sighting
    /// Whether it outlives a restart.
    public let persistence: Persistence
    /// Other logins with the same secret.
    public let siblings: [SiblingCredential]
    /// When it was looked at first.
    public let began: Instant
    /// When it was looked at last.
    public let ended: Instant
    /// The conclusion from `before`, `asked` and `after`.
    public let verdict: Verdict

    /// Takes what was seen; the verdict follows from it.
    public init(
        credential: String,
        handle: CredentialHandle,
        server: ServerIdentity,
        before: Sighting,
        asked: Bool,
        after: Sighting,
        persistence: Persistence,
        siblings: [SiblingCredential],
        began: Instant,
        ended: Instant
    ) {
        self.credential = credential
        self.handle = handle
        self.server = server
        self.before = before
        self.asked = asked
        self.after = after
        self.persistence = persistence
        self.siblings = siblings
        self.began = began
        self.ended = ended
        verdict = Verdict(before: before, asked: asked, after: after)
    }

    /// One sentence for a person, with everything that limits the verdict.
    public var sentence: String {
        var parts = ["\(handle): \(verdict)\(reason)"]
        switch persistence {
        case .untilRestart where verdict == .dead || verdict == .wasAlreadyDead || verdict == .askedUnverified:
            parts.append("only until the server restarts: the change could not be saved")
        case .notKnown: parts.append("whether it outlives a restart of the server is not known")
        case .untilRestart, .seenOnDisk: break
        }
        if let untried = after.untried ?? before.untried {
            parts.append("its password was not tried: \(Escaped.terminal(untried))")
        }
        let enabled = siblings.filter(\.isEnabled).map { Escaped.terminal($0.principal) }
        if !enabled.isEmpty { parts.append("the same password still opens \(enabled.joined(separator: ", "))") }
        return parts.joined(separator: "; ")
    }

    private var reason: String {
        switch verdict {
        case .dead: ", its password was accepted before and is refused now, \(ended(before.sessions))"
        case .wasAlreadyDead: ", it was disabled before we came and has no session"
        case .stillAlive where after.trial == .accepted: ", its password is still accepted"
        case .stillAlive where (after.sessions ?? 0) > 0: ", \(count(after.sessions ?? 0)) still open"
        case .stillAlive: ", the server took the order but still has it enabled"
        case .askedUnverified where before.trial != .accepted && after.isDead:
            ", the server says it is disabled and has no session, but its password was never seen accepted"
        case .askedUnverified: ", the server took the order, but the refusal was not seen"
        case .cannotRevoke, .unknown: ""
        }
    }

    private func ended(_ sessions: Int?) -> String {
        guard let sessions, sessions > 0 else { return "no session was open" }
        return "\(count(sessions)) ended"
    }

    private func count(_ sessions: Int) -> String { sessions == 1 ? "1 session" : "\(sessions) sessions" }
}
