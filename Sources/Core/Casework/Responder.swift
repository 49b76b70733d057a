/// Who acts: a person as far as this host can tell, or Quell itself.
public struct Responder: Hashable, Sendable, Codable {
    /// How the name was learnt.
    public enum Source: String, Sendable, Codable {
        /// Given by `--as`; nobody checked it.
        case stated
        /// The SSH key that opened the session.
        case sshKey
        /// The login uid behind sudo, /proc/self/loginuid.
        case loginUser
        /// The uid of the process.
        case user
        /// Quell on its own, such as a merge of an emergency record.
        case quell
    }

    /// The name; may hold any text.
    public let name: String
    /// How it was learnt.
    public let source: Source

    /// Takes both parts.
    public init(_ name: String, by source: Source) {
        self.name = name
        self.source = source
    }

    /// Quell on its own.
    public static let quell = Responder("quell", by: .quell)
}
