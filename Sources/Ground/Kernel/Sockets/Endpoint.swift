/// An IPv4 or IPv6 address in network order.
public struct NetworkAddress: Hashable, Sendable {
    /// Which protocol.
    public enum Family: UInt8, Sendable, Codable {
        /// AF_INET, 4 bytes.
        case v4 = 2
        /// AF_INET6, 16 bytes.
        case v6 = 10
    }

    /// The protocol.
    public let family: Family
    /// 4 or 16 bytes in network order.
    public let bytes: [UInt8]

    /// Takes 4 bytes (IPv4) or 16 (IPv6); any other count gives `nil`.
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: family = .v4
        case 16: family = .v6
        default: return nil
        }
        self.bytes = Array(bytes)
    }

    private init(_ family: Family, _ bytes: [UInt8]) {
        self.family = family
        self.bytes = bytes
    }

    /// 127.0.0.1.
    public static let loopback = NetworkAddress(.v4, [127, 0, 0, 1])
    /// ::1.
    public static let loopback6 = NetworkAddress(.v6, [UInt8](repeating: 0, count: 15) + [1])

    /// The IPv4 address inside `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2); any other address as it is.
    public var unmapped: NetworkAddress {
        let isMapped = family == .v6 && bytes[0..<10].allSatisfy { $0 == 0 } && bytes[10] == 255 && bytes[11] == 255
        return isMapped ? NetworkAddress(.v4, Array(bytes[12...])) : self
    }

    /// An IPv4 address as the `::ffff:a.b.c.d` form that a dual-stack socket shows; an IPv6 address as it is.
    public var mapped: NetworkAddress {
        guard family == .v4 else { return self }
        return NetworkAddress(.v6, [UInt8](repeating: 0, count: 10) + [255, 255] + bytes)
    }

    /// Whether packets to it never leave the host: 127.0.0.0/8, ::1, also in mapped form.
    public var isLoopback: Bool {
        let plain = unmapped
        return plain.family == .v4 ? plain.bytes[0] == 127 : plain == .loopback6
    }

    /// Whether it is the address of all interfaces: 0.0.0.0 or ::.
    public var isUnspecified: Bool { unmapped.bytes.allSatisfy { $0 == 0 } }
}

extension NetworkAddress {
    /// Reads dotted decimal or an RFC 4291 text without zone; `localhost` is 127.0.0.1. No name is ever looked up.
    public init?(_ text: String) {
        if text == "localhost" {
            self = .loopback
        } else if let bytes = text.contains(":") ? Self.parseSix(text) : Self.parseFour(text) {
            self.init(bytes: bytes)
        } else {
            return nil
        }
    }

    private static func parseFour(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy(isDigit) else { return nil }
            guard part == "0" || part.first != "0", let byte = UInt8(part) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func parseSix(_ text: String) -> [UInt8]? {
        guard let gap = firstGap(of: text) else {
            guard let bytes = groups(text[...]), bytes.count == 16 else { return nil }
            return bytes
        }
        guard let head = groups(text[..<gap.lowerBound]), let tail = groups(text[gap.upperBound...]) else { return nil }
        guard head.count + tail.count <= 14 else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    private static func firstGap(of text: String) -> Range<String.Index>? {
        var index = text.startIndex
        while index < text.endIndex {
            let next = text.index(after: index)
            if next < text.endIndex, text[index] == ":", text[next] == ":" { return index..<text.index(after: next) }
            index = next
        }
        return nil
    }

    private static func groups(_ text: Substring) -> [UInt8]? {
        if text.isEmpty { return [] }
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains(".") {
                guard let four = parseFour(part) else { return nil }
                bytes += four
                continue
            }
            guard (1...4).contains(part.utf8.count), part.allSatisfy(\.isHexDigit), let group = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(group >> 8), UInt8(group & 255)]
        }
        return bytes.count <= 16 ? bytes : nil
    }
}

extension NetworkAddress: CustomStringConvertible {
    /// Dotted decimal, or the canonical IPv6 text of RFC 5952.
    public var description: String {
        if family == .v4 { return bytes.map(String.init).joined(separator: ".") }
        if unmapped.family == .v4 { return "::ffff:\(unmapped)" }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        let gap = Self.longestZeros(in: groups)
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard gap.count > 1 else { return text(groups[...]) }
        return "\(text(groups[..<gap.lowerBound]))::\(text(groups[gap.upperBound...]))"
    }

    private static func longestZeros(in groups: [UInt16]) -> Range<Int> {
        var best = 0..<0
        var start = 0
        for index in 0...groups.count {
            if index < groups.count, groups[index] == 0 { continue }
            if index - start > best.count { best = start..<index }
            start = index + 1
        }
        return best
    }
}

extension NetworkAddress: Codable {
    /// Reads the text form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let address = NetworkAddress(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an IP address")
        }
        self = address
    }

    /// Writes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// An address and a port.
public struct Endpoint: Hashable, Sendable, Codable {
    /// The address.
    public let address: NetworkAddress
    /// The port in host order.
    public let port: UInt16

    /// Takes both parts.
    public init(address: NetworkAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Reads `127.0.0.1:6390`, `localhost:6390` or `[::1]:6390`. Anything else, and port 0, gives `nil`.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits), port > 0 else {
            return nil
        }
        guard let address = NetworkAddress(String(host)) else { return nil }
        self.init(address: address, port: port)
    }
}

extension Endpoint: CustomStringConvertible {
    /// `127.0.0.1:6390` or `[::1]:6390`.
    public var description: String { address.family == .v4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}
