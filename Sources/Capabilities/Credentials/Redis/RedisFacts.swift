public import Base
public import Kernel

/// What ACL GETUSER says of a user, without its password hashes.
public struct RedisUser: Hashable, Sendable, Codable {
    /// Whether it may log in.
    public let isEnabled: Bool
    /// All flags, such as `on`, `allkeys`, `nopass`, in the server's order.
    public let flags: [String]
    /// How many passwords it has.
    public let passwords: Int
    /// Its command rules.
    public let commands: String
    /// Its key patterns.
    public let keys: String
    /// Its channel patterns.
    public let channels: String

    /// Reads the reply; `nil` for the null reply that an unknown user gives.
    ///
    /// - Throws: `malformed` when a list of pairs with flags `on` or `off` does not come.
    init?(_ reply: RESPValue) throws(Failure) {
        if reply == .null { return nil }
        guard case .array(let parts) = reply, parts.count.isMultiple(of: 2) else { throw Self.refusal }
        var fields: [String: RESPValue] = [:]
        for index in stride(from: 0, to: parts.count, by: 2) {
            guard let name = parts[index].text, fields.updateValue(parts[index + 1], forKey: name) == nil else {
                throw Self.refusal
            }
        }
        guard case .array(let flags)? = fields["flags"], case .array(let passwords)? = fields["passwords"] else {
            throw Self.refusal
        }
        self.flags = flags.compactMap(\.text)
        // Exactly one of the two, or we do not know what we are looking at.
        guard self.flags.contains("on") != self.flags.contains("off") else { throw Self.refusal }
        isEnabled = self.flags.contains("on")
        self.passwords = passwords.count
        commands = fields["commands"]?.text ?? ""
        keys = Self.rules(fields["keys"])
        channels = Self.rules(fields["channels"])
    }

    /// Redis 7 gives one text, Redis 6 a list.
    private static func rules(_ value: RESPValue?) -> String {
        if case .array(let parts)? = value { return parts.compactMap(\.text).joined(separator: " ") }
        return value?.text ?? ""
    }

    private static let refusal = Failure(
        .malformed,
        "read an ACL user",
        on: "redis",
        because: "the reply is not of the known form"
    )
}

/// Lines of ACL LIST. Hashes are compared here and never leave.
struct RedisAccessList {
    struct Entry {
        let name: String
        let isEnabled: Bool
        let hashes: Set<String>
    }

    let entries: [Entry]

    init(_ reply: RESPValue) throws(Failure) {
        guard case .array(let lines) = reply else {
            throw Failure(.malformed, "list the ACL users", on: "redis", because: "the reply is not of the known form")
        }
        entries = lines.compactMap { $0.text.flatMap(Self.entry) }
    }

    static func entry(_ line: String) -> Entry? {
        let words = line.split(separator: " ")
        guard words.count > 2, words[0] == "user" else { return nil }
        let rules = words.dropFirst(2)
        guard rules.contains("on") != rules.contains("off") else { return nil }
        return Entry(
            name: String(words[1]),
            isEnabled: rules.contains("on"),
            hashes: Set(rules.filter { $0.hasPrefix("#") && $0.utf8.count == 65 }.map(String.init))
        )
    }

    /// Other users that have a password of `principal`.
    func siblings(of principal: String) -> [SiblingCredential] {
        let own = entries.filter { $0.name == principal }.reduce(into: Set<String>()) { $0.formUnion($1.hashes) }
        return entries.filter { $0.name != principal && !$0.hashes.isDisjoint(with: own) }
            .map { SiblingCredential(principal: $0.name, isEnabled: $0.isEnabled) }
    }
}

/// Lines of CLIENT LIST.
enum RedisClients {
    /// How many connections are authenticated as `principal`.
    ///
    /// - Throws: `malformed` when a line has no user, so that nothing can be counted.
    static func count(of principal: String, in reply: RESPValue) throws(Failure) -> Int {
        guard case .bulk(let bytes) = reply else { throw refusal }
        var count = 0
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            // A client chooses its own `name=`, which redis keeps free of spaces; a user's name has none either.
            let users = line.split(separator: UInt8(ascii: " ")).filter { $0.starts(with: Array("user=".utf8)) }
            guard users.count == 1, let user = users.first else { throw refusal }
            if user.dropFirst(5).elementsEqual(principal.utf8) { count += 1 }
        }
        return count
    }

    private static let refusal = Failure(
        .malformed,
        "count the clients",
        on: "redis",
        because: "the reply is not of the known form"
    )
}

/// What was seen at a Redis server before anything was done.
public struct RedisObservation: Hashable, Sendable, Codable {
    /// Who answered.
    public let server: ServerIdentity
    /// The user as it was, for undo and for the record.
    public let user: RedisUser
    /// The credential.
    public let sighting: Sighting
    /// Whether the user stands disabled in the server's file already.
    public let isOffOnDisk: Bool
    /// When.
    public let seen: Instant
}
