internal import Base

/// Requests and answers of NETLINK_ROUTE as bytes. Pure. Sources: rtnetlink(7), linux/if_link.h, linux/net_namespace.h.
enum RouteMessage {
    private static let newLink: UInt16 = 16
    private static let getLink: UInt16 = 18
    private static let newNamespace: UInt16 = 88
    private static let getNamespace: UInt16 = 90
    private static let requestAndDump: UInt16 = 0x301
    private static let requestAndAcknowledge: UInt16 = 0x005

    private enum Attribute {
        static let name = 3
        static let link = 5
        static let information = 18
        static let linkNamespace = 37
        static let kind = 1
        static let number = 1
        static let pid: UInt16 = 2
    }

    /// All interfaces.
    static func linkDump(sequence: UInt32) -> [UInt8] {
        message(getLink, requestAndDump, sequence, [UInt8](repeating: 0, count: 16))
    }

    /// The number of the namespace that a process stands in.
    static func namespace(of pid: Int32, sequence: UInt32) -> [UInt8] {
        let attribute = bytes(of: UInt16(8)) + bytes(of: Attribute.pid) + bytes(of: pid)
        return message(getNamespace, requestAndAcknowledge, sequence, [0, 0, 0, 0] + attribute)
    }

    /// The interfaces in one datagram.
    ///
    /// - Throws: `system` with what the kernel answered instead.
    static func links(in datagram: ArraySlice<UInt8>) throws(Failure) -> [NetworkLink] {
        var found: [NetworkLink] = []
        for (type, body) in try messages(in: datagram) where type == newLink {
            guard let index = body.int32(at: 4), let flags = body.uint32(at: 8) else { continue }
            var name = BytePath("")
            var kind = ""
            var peer: Int32?
            var namespace: Int32?
            for (attribute, value) in SockDiagMessage.attributes(body.dropping(16)) {
                switch attribute {
                case Attribute.name: name = BytePath(Array(value.bytes.prefix { $0 != 0 }))
                case Attribute.link: peer = value.int32(at: 0)
                case Attribute.linkNamespace: namespace = value.int32(at: 0)
                case Attribute.information:
                    for (inner, text) in SockDiagMessage.attributes(value) where inner == Attribute.kind {
                        kind = String(decoding: text.bytes.prefix { $0 != 0 }, as: UTF8.self)
                    }
                default: continue
                }
            }
            let link = NetworkLink(
                index: index,
                name: name,
                kind: kind,
                peer: peer,
                peerNamespace: namespace,
                isLoopback: flags & 0x8 != 0
            )
            found.append(link)
        }
        return found
    }

    /// The number that an answer gives a namespace; -1 for none, `nil` when the datagram has no such answer.
    static func number(in datagram: ArraySlice<UInt8>) throws(Failure) -> Int32? {
        for (type, body) in try messages(in: datagram) where type == newNamespace {
            for (attribute, value) in SockDiagMessage.attributes(body.dropping(4)) where attribute == Attribute.number {
                return value.int32(at: 0)
            }
        }
        return nil
    }

    private static func messages(in datagram: ArraySlice<UInt8>) throws(Failure) -> [(type: UInt16, body: ByteReader)] {
        var found: [(UInt16, ByteReader)] = []
        var rest = ByteReader(datagram)
        while let length = rest.uint32(at: 0), let type = rest.uint16(at: 4), Int(length) >= SockDiagMessage.headerSize,
            let body = rest.slice(SockDiagMessage.headerSize, upTo: Int(length))
        {
            if type == 2, let number = body.int32(at: 0), number != 0 {
                throw Failure(errno: 0 &- number, "ask for interfaces", on: BytePath("rtnetlink"))
            }
            found.append((type, body))
            rest = rest.dropping(SockDiagMessage.aligned(Int(length)))
        }
        return found
    }

    private static func message(_ type: UInt16, _ flags: UInt16, _ sequence: UInt32, _ body: [UInt8]) -> [UInt8] {
        bytes(of: UInt32(SockDiagMessage.headerSize + body.count)) + bytes(of: type) + bytes(of: flags)
            + bytes(of: sequence) + bytes(of: UInt32(0)) + body
    }

    private static func bytes(of value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value) { Array($0) }
    }
}
