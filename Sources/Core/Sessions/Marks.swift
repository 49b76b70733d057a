/// One reason to hold that a process belongs to a session, as data: what acts and what is only listed follows from the
/// strength alone (RT27).
public struct Mark: Hashable, Sendable, Codable {
    /// What was seen.
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// It descends from the leader, also by way of a reaper.
        case lineage
        /// Its pid namespace is the session's or below it.
        case pidNamespace
        /// In one hierarchy it stands in a cgroup of the session, in another it does not.
        case otherHierarchy
        /// Its uid is one that the inventory calls dedicated.
        case dedicatedUser
        /// It shares another private namespace of the session.
        case namespace
        /// Its environment holds a word of the session's.
        case environment
        /// It has the session id or process group of a member.
        case sessionID
        /// It has the name of a member.
        case name

        /// How much the mark proves. A process can shed or forge medium and weak ones.
        public var strength: Strength {
            switch self {
            case .lineage, .pidNamespace, .otherHierarchy, .dedicatedUser: .strong
            case .namespace: .medium
            case .environment, .sessionID, .name: .weak
            }
        }
    }

    /// How much a mark proves. Strong ones act; the rest is listed and taken only when a person says so.
    public enum Strength: String, Hashable, Sendable, Codable, Comparable {
        /// A list.
        case weak
        /// A list, printed first.
        case medium
        /// Acts, and decides between confirmed and partial.
        case strong

        private var rank: Int {
            switch self {
            case .weak: 0
            case .medium: 1
            case .strong: 2
            }
        }

        /// Orders by what it proves.
        public static func < (left: Strength, right: Strength) -> Bool { left.rank < right.rank }
    }

    /// What was seen.
    public let kind: Kind
    /// What was seen, for people: `descends from process 4711`. Numbers and fixed words only, never hostile text.
    public let words: String

    /// Takes both parts.
    public init(_ kind: Kind, _ words: String) {
        self.kind = kind
        self.words = words
    }

    /// How much it proves.
    public var strength: Strength { kind.strength }
}

extension Mark {
    private enum CodingKeys: String, CodingKey { case kind, strength, words }

    /// Reads kind and words; the strength follows from the kind, whatever is written.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        kind = try container.decode(Kind.self, forKey: .kind)
        words = try container.decode(String.self, forKey: .words)
    }

    /// Writes kind, strength and words.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(kind, forKey: .kind)
        try container.encode(strength, forKey: .strength)
        try container.encode(words, forKey: .words)
    }
}
