public import Base

/// From when to when something holds; open where nothing was said.
public struct Validity: Hashable, Sendable, Codable {
    /// The first moment; `nil` for always before.
    public let from: Instant?
    /// The first moment at which it holds no more; `nil` for ever after.
    public let to: Instant?

    /// Takes both ends.
    public init(from: Instant? = nil, to: Instant? = nil) {
        self.from = from
        self.to = to
    }

    /// Whether it holds at `moment`.
    public func holds(at moment: Instant) -> Bool {
        if let from, moment < from { return false }
        if let to, moment >= to { return false }
        return true
    }
}

/// A person whose signatures count, as the trust file tells. A person may have several keys, and is one person all the
/// same (RT17).
public struct TrustedPerson: Hashable, Sendable, Codable {
    /// One key of a person.
    public struct Key: Hashable, Sendable, Codable {
        /// The key.
        public let key: SSHPublicKey
        /// When it counts, within the time of the person.
        public let validity: Validity

        /// Takes both parts.
        public init(_ key: SSHPublicKey, _ validity: Validity = Validity()) {
            self.key = key
            self.validity = validity
        }
    }

    /// The name: letters, digits and `._@-`.
    public let name: String
    /// What the person may be asked for, such as `lead`.
    public let roles: [String]
    /// The names by which a host knows the person who gives a command, beside ``name``.
    public let logins: [String]
    /// When the person's signatures count.
    public let validity: Validity
    /// The keys; at least one.
    public let keys: [Key]

    /// Takes all parts.
    public init(name: String, roles: [String], logins: [String] = [], validity: Validity = Validity(), keys: [Key]) {
        self.name = name
        self.roles = roles
        self.logins = logins
        self.validity = validity
        self.keys = keys
    }

    /// Whether a host that calls somebody `login` means this person.
    public func isKnown(as login: String) -> Bool { name == login || logins.contains(login) }
}

/// The trust file: who may sign, in which role, from when to when. One list for approvals and for seals.
public struct TrustList: Hashable, Sendable {
    /// Everybody, in the order of the file; names and keys are unique.
    public let persons: [TrustedPerson]
    /// Whose word about the time counts.
    public let timeAuthorities: [TimeAuthority]

    /// Takes persons whose names and keys are unique.
    public init(_ persons: [TrustedPerson], timeAuthorities: [TimeAuthority] = []) {
        self.persons = persons
        self.timeAuthorities = timeAuthorities
    }

    /// Nobody.
    public static let empty = TrustList([])

    /// The list as it stands at `moment`: without persons and keys that do not count then.
    public func standing(at moment: Instant) -> TrustList {
        TrustList(
            persons.compactMap { person in
                let keys = person.keys.filter { $0.validity.holds(at: moment) }
                guard person.validity.holds(at: moment), !keys.isEmpty else { return nil }
                return TrustedPerson(
                    name: person.name,
                    roles: person.roles,
                    logins: person.logins,
                    validity: person.validity,
                    keys: keys
                )
            },
            timeAuthorities: timeAuthorities
        )
    }

    /// Whose key it is.
    public func owner(of key: SSHPublicKey) -> TrustedPerson? {
        persons.first { person in person.keys.contains { $0.key == key } }
    }
}

extension SSHPublicKey: Codable {
    /// Reads the line.
    public init(from decoder: any Decoder) throws {
        try self.init(line: decoder.singleValueContainer().decode(String.self))
    }

    /// Writes the line.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(line)
    }
}
