public import Base

/// What became of a credential. Only ``dead`` is success.
public enum Verdict: Hashable, Sendable {
    /// It was seen alive, revoked, then seen refused, and no session of it is left.
    case dead
    /// The provider was asked and did not object, but the death was not seen in full.
    case askedUnverified
    /// It still works, or a session of it is still open.
    case stillAlive
    /// It did not work before anything was asked, and does not now.
    case wasAlreadyDead
    /// The provider cannot take it back; it works until the moment given, or with no end known.
    case cannotRevoke(expires: Instant?)
    /// Nothing can be said.
    case unknown
}

extension Verdict: CustomStringConvertible {
    /// `dead`, `asked-unverified`, `still-alive`, `was-already-dead`, `cannot-revoke`, `unknown`.
    public var description: String {
        switch self {
        case .dead: "dead"
        case .askedUnverified: "asked-unverified"
        case .stillAlive: "still-alive"
        case .wasAlreadyDead: "was-already-dead"
        case .cannotRevoke: "cannot-revoke"
        case .unknown: "unknown"
        }
    }
}

extension Verdict: Codable {
    private enum CodingKeys: String, CodingKey { case verdict, expires }

    /// Reads `{"verdict": NAME, "expires": TIME?}`.
    public init(from decoder: any Decoder) throws {
        let keyed = try decoder.container(keyedBy: CodingKeys.self)
        switch try keyed.decode(String.self, forKey: .verdict) {
        case "dead": self = .dead
        case "asked-unverified": self = .askedUnverified
        case "still-alive": self = .stillAlive
        case "was-already-dead": self = .wasAlreadyDead
        case "cannot-revoke": self = .cannotRevoke(expires: try keyed.decodeIfPresent(Instant.self, forKey: .expires))
        case "unknown": self = .unknown
        default: throw DecodingError.dataCorruptedError(forKey: .verdict, in: keyed, debugDescription: "no verdict")
        }
    }

    /// Writes the form above.
    public func encode(to encoder: any Encoder) throws {
        var keyed = encoder.container(keyedBy: CodingKeys.self)
        try keyed.encode(description, forKey: .verdict)
        if case .cannotRevoke(let expires) = self { try keyed.encodeIfPresent(expires, forKey: .expires) }
    }
}

/// What happened when the credential itself was tried.
public enum Trial: String, Hashable, Sendable, Codable, CaseIterable {
    /// It was accepted.
    case accepted
    /// It was refused as invalid or disabled.
    case refused
    /// It could not be tried: its secret is not known here, or the answer said neither.
    case notTried
}

/// What the provider says of the principal.
public enum Standing: String, Hashable, Sendable, Codable, CaseIterable {
    /// It may log in.
    case enabled
    /// It may not.
    case disabled
    /// The provider does not know it.
    case missing
    /// The provider was not asked or did not say.
    case notKnown
}

/// One look at a credential: by trying it, by asking its provider, by counting its open sessions.
public struct Sighting: Hashable, Sendable, Codable {
    /// The credential, tried.
    public let trial: Trial
    /// The principal, as the provider says.
    public let standing: Standing
    /// How many sessions are open; `nil` when they could not be counted.
    public let sessions: Int?
    /// Why it was not tried although its secret is declared; names no secret.
    public let untried: String?

    /// Takes all parts.
    public init(trial: Trial, standing: Standing, sessions: Int?, untried: String? = nil) {
        self.trial = trial
        self.standing = standing
        self.sessions = sessions
        self.untried = untried
    }

    /// Whether anything shows that it works: an accepted trial, or an open session. Enabled is not alive: nobody may know
    /// the password.
    public var isAlive: Bool { trial == .accepted || (sessions ?? 0) > 0 }

    /// Whether the provider says that it does not work, no session is open, and trying it did not succeed.
    public var isDead: Bool {
        (standing == .disabled || standing == .missing) && sessions == 0 && trial != .accepted
    }
}

extension Verdict {
    /// The verdict from two sightings and whether the provider accepted what was asked in between. Pure; nothing else
    /// ever makes a ``dead``.
    ///
    /// A refusal counts only when the same secret was accepted before: a wrong password is refused by a live account too.
    public init(before: Sighting, asked: Bool, after: Sighting) {
        if after.isAlive {
            self = .stillAlive
        } else if asked && after.standing == .enabled {
            // The provider took the order and did not follow it.
            self = .stillAlive
        } else if before.isDead && after.isDead {
            self = .wasAlreadyDead
        } else if asked && before.trial == .accepted && after.trial == .refused && after.isDead {
            self = .dead
        } else {
            self = asked ? .askedUnverified : .unknown
        }
    }
}
