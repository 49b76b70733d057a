import Base
import Kernel

/// What rtnetlink and nf_tables tell of a network namespace, message by message as lines. Sources: rtnetlink(7),
/// linux/if_link.h, linux/if_addr.h, linux/rtnetlink.h, linux/neighbour.h, linux/fib_rules.h, linux/netfilter/nf_tables.h.
enum NetworkTable: String, CaseIterable {
    case link, address, route, neighbour, rule
    case nftTable, nftChain, nftRule, nftSet

    /// The number of the request.
    var request: UInt16 {
        switch self {
        case .link: 18
        case .address: 22
        case .route: 26
        case .neighbour: 30
        case .rule: 34
        case .nftTable: 10 << 8 | 1
        case .nftChain: 10 << 8 | 4
        case .nftRule: 10 << 8 | 7
        case .nftSet: 10 << 8 | 10
        }
    }

    var family: NetlinkTalk.Family { request >> 8 == 0 ? .route : .netfilter }

    /// The body of the request: all families.
    var body: [UInt8] {
        switch self {
        case .link: [UInt8](repeating: 0, count: 16)
        case .address: [UInt8](repeating: 0, count: 8)
        case .route, .neighbour, .rule: [UInt8](repeating: 0, count: 12)
        case .nftTable, .nftChain, .nftRule, .nftSet: [UInt8](repeating: 0, count: 4)
        }
    }

    /// The line of one message; `nil` when it is shorter than its form.
    func line(of message: NetlinkMessage) -> JSONObject? {
        var line = JSONObject()
        line["table"] = .string(rawValue)
        switch self {
        case .link: return link(message, &line) ? line : nil
        case .address: return address(message, &line) ? line : nil
        case .route: return route(message, &line) ? line : nil
        case .neighbour: return neighbour(message, &line) ? line : nil
        case .rule: return rule(message, &line) ? line : nil
        case .nftTable, .nftChain, .nftRule, .nftSet: return nft(message, &line) ? line : nil
        }
    }

    private func link(_ message: NetlinkMessage, _ line: inout JSONObject) -> Bool {
        guard let index = message.payload.number32(4), let flags = message.payload.number32(8) else { return false }
        let parts = message.attributes(from: 16)
        line["index"] = .integer(Int64(index))
        line["name"] = NetworkText.name(parts[3])
        line["isUp"] = .bool(flags & 1 != 0)
        line["flags"] = .string("0x" + String(flags, radix: 16))
        line["hardwareAddress"] = NetworkText.hardware(parts[1])
        line["mtu"] = NetworkText.number(parts[4])
        line["peer"] = NetworkText.number(parts[5])
        line["peerNamespace"] = NetworkText.number(parts[37])
        line["kind"] = parts[18].flatMap { NetworkText.name(NetlinkMessage.attributes($0)[1]) }
        return true
    }

    private func address(_ message: NetlinkMessage, _ line: inout JSONObject) -> Bool {
        guard let length = message.payload.number8(1), let index = message.payload.number32(4) else { return false }
        let parts = message.attributes(from: 8)
        line["index"] = .integer(Int64(index))
        line["address"] = NetworkText.address(parts[2] ?? parts[1])
        line["prefix"] = .integer(Int64(length))
        line["scope"] = message.payload.number8(3).map { .integer(Int64($0)) }
        return true
    }

    private func route(_ message: NetlinkMessage, _ line: inout JSONObject) -> Bool {
        guard let length = message.payload.number8(1), let table = message.payload.number8(4),
            let maker = message.payload.number8(5), let type = message.payload.number8(7), message.payload.count >= 12
        else { return false }
        let parts = message.attributes(from: 12)
        line["destination"] = NetworkText.address(parts[1]) ?? "default"
        line["prefix"] = .integer(Int64(length))
        line["gateway"] = NetworkText.address(parts[5])
        line["index"] = NetworkText.number(parts[4])
        line["source"] = NetworkText.address(parts[7])
        line["priority"] = NetworkText.number(parts[6])
        line["routeTable"] = NetworkText.number(parts[15]) ?? .integer(Int64(table))
        line["protocol"] = .integer(Int64(maker))
        line["type"] = .integer(Int64(type))
        return true
    }

    private func neighbour(_ message: NetlinkMessage, _ line: inout JSONObject) -> Bool {
        guard let index = message.payload.number32(4), let state = message.payload.number16(8) else { return false }
        let parts = message.attributes(from: 12)
        line["index"] = .integer(Int64(index))
        line["address"] = NetworkText.address(parts[1])
        line["hardwareAddress"] = NetworkText.hardware(parts[2])
        line["state"] = .string("0x" + String(state, radix: 16))
        return true
    }

    private func rule(_ message: NetlinkMessage, _ line: inout JSONObject) -> Bool {
        guard message.payload.count >= 12, let table = message.payload.number8(4),
            let action = message.payload.number8(7)
        else { return false }
        let parts = message.attributes(from: 12)
        line["destination"] = NetworkText.address(parts[1])
        line["source"] = NetworkText.address(parts[2])
        line["interface"] = NetworkText.name(parts[3])
        line["priority"] = NetworkText.number(parts[6])
        line["mark"] = NetworkText.number(parts[10])
        line["routeTable"] = NetworkText.number(parts[15]) ?? .integer(Int64(table))
        line["action"] = .integer(Int64(action))
        return true
    }

    /// Names and handles are told; expressions stay as the kernel gave them, for `nft` to be read by who needs them.
    private func nft(_ message: NetlinkMessage, _ line: inout JSONObject) -> Bool {
        guard let family = message.payload.number8(0), message.payload.count >= 4 else { return false }
        let parts = message.attributes(from: 4)
        line["family"] = .integer(Int64(family))
        line["nftable"] = NetworkText.name(parts[1])
        if self == .nftChain { line["chain"] = NetworkText.name(parts[3]) }
        if self == .nftRule { line["chain"] = NetworkText.name(parts[2]) }
        if self == .nftSet { line["set"] = NetworkText.name(parts[2]) }
        line["attributes"] = .string(Base64.encode(Array(message.payload.dropFirst(4))))
        return true
    }
}

/// Values of attributes as text.
enum NetworkText {
    /// A name up to its NUL.
    static func name(_ bytes: ArraySlice<UInt8>?) -> JSONValue? {
        bytes.map { BytePath(Array($0.prefix { $0 != 0 })).json }
    }

    static func number(_ bytes: ArraySlice<UInt8>?) -> JSONValue? {
        bytes?.number32(0).map { .integer(Int64($0)) }
    }

    /// `aa:bb:cc:dd:ee:ff`.
    static func hardware(_ bytes: ArraySlice<UInt8>?) -> JSONValue? {
        guard let bytes, !bytes.isEmpty else { return nil }
        let text = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
        return .string(text)
    }

    /// An address of four or sixteen bytes as RFC 5952 writes it; another length as hexadecimal digits.
    static func address(_ bytes: ArraySlice<UInt8>?) -> JSONValue? {
        guard let bytes, !bytes.isEmpty else { return nil }
        if let address = NetworkAddress(bytes: bytes) { return .string("\(address)") }
        return hardware(bytes)
    }
}
