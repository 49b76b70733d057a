public import Base

/// How a person names a container: `NAME`, an id or the beginning of one, `USER/NAME` for a user's own containers.
///
/// A name has only what podman lets a name have, so that a path part, a quote, a newline or `$()` never reaches a file
/// name or a hint.
public struct ContainerName: Hashable, Sendable {
    /// Whose containers; `nil` for root's.
    public let user: String?
    /// The name, an id, or the beginning of an id.
    public let name: String

    /// Reads `NAME` or `USER/NAME`; `nil` when it has not that form. Source: podman's `RegexError`:
    /// `[a-zA-Z0-9][a-zA-Z0-9_.-]*`; users as useradd(8) takes them.
    public init?(parsing bytes: BytePath) {
        guard let text = bytes.text else { return nil }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let last = parts.last, ContainerName.isName(last.utf8) else { return nil }
        if parts.count == 2 {
            guard ContainerName.isUser(parts[0].utf8) else { return nil }
            user = String(parts[0])
        } else {
            user = nil
        }
        name = String(last)
    }

    /// Whether it could be the beginning of an id: at least 4 hexadecimal digits, at most 64.
    public var isIDPrefix: Bool { (4...64).contains(name.utf8.count) && name.utf8.allSatisfy(ContainerName.isHex) }

    /// As it is typed behind the prefix of a locator.
    public var argument: String { user.map { "\($0)/\(name)" } ?? name }

    private static func isName(_ bytes: Substring.UTF8View) -> Bool {
        guard (1...255).contains(bytes.count), let first = bytes.first, isAlphanumeric(first) else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
    }

    static func isUser(_ bytes: Substring.UTF8View) -> Bool {
        guard (1...32).contains(bytes.count), let first = bytes.first,
            isAlphanumeric(first) || first == UInt8(ascii: "_")
        else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
    }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    static func isHex(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
