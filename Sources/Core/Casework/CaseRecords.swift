public import Base

/// A sealed capture as the journal knows it.
public struct CaptureRecord: Hashable, Sendable, Codable {
    /// How much was asked for; each contains the one before.
    public enum Profile: String, Sendable, Codable, Comparable, CaseIterable {
        /// Processes, sockets, mounts.
        case volatile
        /// And the files, logs and transcripts.
        case standard
        /// And everything else that can be collected.
        case full

        /// Orders by how much there is.
        public static func < (left: Profile, right: Profile) -> Bool {
            (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
        }
    }

    /// Why it was made.
    public enum Purpose: String, Sendable, Codable {
        /// A real incident.
        case incident
        /// A rehearsal.
        case drill
        /// Somebody else's evidence, brought in.
        case foreign = "import"
    }

    /// The bundle's folder name below the case's `bundles`.
    public let bundle: String
    /// The SHA-256 of the bundle's tagmanifest-sha256.txt: the subject of its seal.
    public let root: Digest
    /// Whose.
    public let pins: [SessionPin]
    /// How much was asked for.
    public let profile: Profile
    /// Why it was made.
    public let purpose: Purpose
    /// Whether every required class of items was collected or waived.
    public let isComplete: Bool
    /// What each of the groups that held the session had used right before the seal: when one has used more since, what
    /// was captured is not what is there (RT28). `nil` when that was not looked at.
    public let times: [GroupTime]?

    /// Takes all parts.
    public init(
        bundle: String,
        root: Digest,
        pins: [SessionPin],
        profile: Profile,
        purpose: Purpose = .incident,
        isComplete: Bool,
        times: [GroupTime]? = nil
    ) {
        self.bundle = bundle
        self.root = root
        self.pins = pins
        self.profile = profile
        self.purpose = purpose
        self.isComplete = isComplete
        self.times = times
    }
}

/// A recorded, reasoned exception to "evidence before effect".
public struct Waiver: Hashable, Sendable, Codable {
    /// Why.
    public let reason: String
    /// The action it allows, by name.
    public let action: String
    /// On which sessions.
    public let pins: [SessionPin]

    /// Takes all parts.
    public init(reason: String, action: String, pins: [SessionPin]) {
        self.reason = reason
        self.action = action
        self.pins = pins
    }
}
