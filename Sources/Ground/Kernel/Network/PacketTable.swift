public import Base

/// A table of Quell's in nftables: the second means of a cut. It holds chains that drop everything but an allow list, of a
/// whole network namespace, of the sockets of some cgroups, or of everything that passes some interfaces. Source: nft(8).
public struct PacketTable: Hashable, Sendable, Codable {
    /// `quell-` and 16 hexadecimal digits that nobody can guess: nothing but this table has that name.
    public let name: String
    /// The inode of the network namespace.
    public let networkNamespace: UInt64
    /// The v2 groups whose sockets it drops; empty means the whole namespace.
    public let groups: [CgroupPin]
    /// What it leaves open.
    public let allowed: AllowList
    /// The interfaces whose frames it drops, both ways and before anything else sees them, also what packet sockets
    /// send at the other end; `nil` for a table that has nothing to do with interfaces. The kernel hooks a chain to a
    /// name, and since 6.16 to whatever has that name later, so the rules match the number as well.
    public let pins: [LinkPin]?

    /// Takes all parts.
    public init(
        name: String,
        networkNamespace: UInt64,
        groups: [CgroupPin] = [],
        allowed: AllowList = AllowList(),
        pins: [LinkPin]? = nil
    ) {
        self.name = name
        self.networkNamespace = networkNamespace
        self.groups = groups
        self.allowed = allowed
        self.pins = pins
    }

    /// The names of those interfaces.
    public var links: [String]? { pins?.map(\.name) }

    /// The family that it is of, as nft names it.
    var family: String { pins == nil ? "inet" : "netdev" }

    /// The rules as nft reads them. Paths of groups are names that others chose: one that is not plain is refused.
    ///
    /// - Throws: `refused` for a path or an interface with other characters than letters, digits and `._:@+=-/`.
    public func rules() throws(Failure) -> String {
        if let pins { return try rules(on: pins) }
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

    /// Frames of what is allowed pass with those that find its address.
    private func rules(on pins: [LinkPin]) throws(Failure) -> String {
        var text = "table netdev \(name) {\n"
        for (number, pin) in pins.enumerated() {
            let link = pin.name
            guard !link.isEmpty, link.utf8.allSatisfy(PacketTable.isPlain) else {
                throw Failure(
                    .refused,
                    "write a rule for the interface",
                    on: link,
                    because: "its name has characters that are not put into rules"
                )
            }
            for (hook, end, key) in [("ingress", "daddr", "iif"), ("egress", "saddr", "oif")] {
                text += "  chain \(hook)\(number) {\n"
                text += "    type filter hook \(hook) device \"\(link)\" priority -500; policy accept;\n"
                if !allowed.isEmpty {
                    text += "    meta protocol arp accept\n"
                    text += "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
                }
                text += "\(exceptions(end))    \(key) \(pin.index) drop\n  }\n"
            }
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
