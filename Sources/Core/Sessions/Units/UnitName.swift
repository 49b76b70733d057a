public import Base

/// How a person names a unit of systemd's that has processes: `NAME.service` or `NAME.scope`, `USER/NAME.service` for one of
/// the user's own systemd. Without an end it is a service, as for systemctl.
public struct UnitName: Hashable, Sendable {
    /// Whose manager; `nil` for the machine's.
    public let user: String?
    /// The whole name of the unit.
    public let name: String

    /// Reads `NAME` or `USER/NAME`; `nil` when it has not that form: systemd's letters, no slash, no dash or dot in front, no
    /// slice. Source: systemd.unit(5).
    public init?(parsing bytes: BytePath) {
        guard let text = bytes.text else { return nil }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let last = parts.last else { return nil }
        if parts.count == 2 {
            guard ContainerName.isUser(parts[0].utf8) else { return nil }
            user = String(parts[0])
        } else {
            user = nil
        }
        let ends = [
            ".service", ".scope", ".slice", ".timer", ".socket", ".path", ".mount", ".target", ".device", ".swap",
        ]
        let whole = ends.contains(where: last.hasSuffix) ? String(last) : "\(last).service"
        guard UnitName.isName(whole), whole.hasSuffix(".service") || whole.hasSuffix(".scope") else { return nil }
        name = whole
    }

    /// As it is typed behind the prefix of a locator.
    public var argument: String { user.map { "\($0)/\(name)" } ?? name }

    private static func isName(_ name: String) -> Bool {
        guard (1...255).contains(name.utf8.count), let first = name.utf8.first,
            ContainerName.isAlphanumeric(first) || first == UInt8(ascii: "_") || first == UInt8(ascii: ":")
        else { return false }
        return name.utf8.allSatisfy { ContainerName.isAlphanumeric($0) || ":-_.\\@".utf8.contains($0) }
    }
}
