public import Base

/// A table of Quell's in nftables: the second means of a cut. It holds chains that drop everything but an allow list, of a
/// whole network namespace or of the sockets of some cgroups. Source: nft(8).
public struct PacketTable: Hashable, Sendable, Codable {
    /// `quell-` and 16 hexadecimal digits that nobody can guess: nothing but this table has that name.
    public let name: String
    /// The inode of the network namespace.
    public let networkNamespace: UInt64
    /// The v2 groups whose sockets it drops; empty means the whole namespace.
    public let groups: [CgroupPin]
    /// What it leaves open.
    public let allowed: AllowList

    /// Takes all parts.
    public init(name: String, networkNamespace: UInt64, groups: [CgroupPin] = [], allowed: AllowList = AllowList()) {
        self.name = name
        self.networkNamespace = networkNamespace
        self.groups = groups
        self.allowed = allowed
    }

    /// The rules as nft reads them. Paths of groups are names that others chose: one that is not plain is refused.
    ///
    /// - Throws: `refused` for a path with other characters than letters, digits and `._:@+=-/`.
    public func rules() throws(Failure) -> String {
        var matches: [String] = []
        for group in groups {
            guard group.path.bytes.allSatisfy(PacketTable.isPlain) else {
                throw Failure(
                    .refused,
                    "write a rule for the cgroup",
                    on: group.path.description,
                    because: "its path has characters that are not put into rules"
                )
            }
            let components = group.path.components
            let path = components.map(\.description).joined(separator: "/")
            matches.append("socket cgroupv2 level \(components.count) \"\(path)\" ")
        }
        let drops = matches.map { "    \($0)drop\n" }.joined()
        let policy = groups.isEmpty ? "drop" : "accept"
        var text = "table inet \(name) {\n"
        for (hook, end) in [("output", "daddr"), ("input", "saddr"), ("forward", "daddr")] {
            if hook == "forward", !groups.isEmpty { continue }
            text += "  chain \(hook) {\n    type filter hook \(hook) priority -500; policy \(policy);\n"
            if hook != "forward" { text += exceptions(end) }
            text += "\(drops)  }\n"
        }
        return text + "}\n"
    }

    private func exceptions(_ end: String) -> String {
        allowed.entries.map { entry in
            let family = entry.address.family == .v4 ? "ip" : "ip6"
            let port = end == "daddr" ? "dport" : "sport"
            return "    \(family) \(end) \(entry.address) meta l4proto { tcp, udp }"
                + (entry.port.map { " th \(port) \($0)" } ?? "") + " accept\n"
        }
        .joined()
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "._:@+=-/".utf8.contains(byte)
        }
    }
}
