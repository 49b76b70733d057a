internal import Base

/// Requests and answers of NETLINK_SOCK_DIAG as bytes, in host order where the kernel uses host order. Pure: no socket.
/// Source: sock_diag(7), netlink(7), linux/inet_diag.h, linux/unix_diag.h.
enum SockDiagMessage {
    static let headerSize = 16
    private static let byFamily: UInt16 = 20
    private static let destroy: UInt16 = 21
    private static let request: UInt16 = 0x001
    private static let acknowledge: UInt16 = 0x004
    private static let dump: UInt16 = 0x300
    private static let allStates: UInt32 = 0xffff_ffff
    private static let noCookie: [UInt8] = [UInt8](repeating: 0xff, count: 8)

    /// A dump of all sockets of one transport and family, with tcp_info unless told: for that the kernel takes the lock of
    /// each socket, which a process that sends from a page that never comes holds for ever.
    static func inetDump(
        _ transport: InetSocket.Transport,
        _ family: NetworkAddress.Family,
        sequence: UInt32,
        withCounters: Bool = true
    ) -> [UInt8] {
        let id = [UInt8](repeating: 0, count: 48)
        return inet(transport, family, id: id, flags: request | dump, sequence: sequence, withCounters: withCounters)
    }

    /// The end of exactly that socket (SOCK_DESTROY), acknowledged.
    static func destruction(of socket: InetSocket, sequence: UInt32) -> [UInt8] {
        let id =
            bigEndian(socket.local.port) + bigEndian(socket.remote.port) + padded(socket.local.address)
            + padded(socket.remote.address) + bytes(of: socket.interface)
            + bytes(of: UInt32(truncatingIfNeeded: socket.cookie))
            + bytes(of: UInt32(truncatingIfNeeded: socket.cookie >> 32))
        return inet(
            socket.transport,
            socket.local.address.family,
            id: id,
            type: destroy,
            flags: request | acknowledge,
            sequence: sequence
        )
    }

    /// One TCP socket by its two ends.
    static func tcpLookup(local: Endpoint, remote: Endpoint, sequence: UInt32) -> [UInt8] {
        let id =
            bigEndian(local.port) + bigEndian(remote.port) + padded(local.address) + padded(remote.address)
            + bytes(of: UInt32(0)) + noCookie
        return inet(.tcp, local.address.family, id: id, flags: request, sequence: sequence)
    }

    private static func inet(
        _ transport: InetSocket.Transport,
        _ family: NetworkAddress.Family,
        id: [UInt8],
        type: UInt16 = byFamily,
        flags: UInt16,
        sequence: UInt32,
        withCounters: Bool = true
    ) -> [UInt8] {
        let tcpInfo: UInt8 = withCounters ? 1 << (Attribute.tcpInfo - 1) : 0
        let body = [family.rawValue, transport.number, tcpInfo, 0] + bytes(of: allStates) + id
        return header(type, length: body.count, flags: flags, sequence: sequence) + body
    }

    /// A dump of all unix sockets with name, peer and queues.
    static func unixDump(sequence: UInt32) -> [UInt8] {
        let nameAndPeer: UInt32 = 0x1 | 0x4 | 0x10
        let body =
            [UInt8(1), 0, 0, 0] + bytes(of: allStates) + bytes(of: UInt32(0)) + bytes(of: nameAndPeer) + noCookie
        return header(byFamily, length: body.count, flags: request | dump, sequence: sequence) + body
    }

    /// A dump of the unix sockets that listen, with their names. The kernel picks them out, so that others' sockets cost
    /// little. Source: linux/unix_diag.h; TCP_LISTEN is 10.
    static func unixListeners(sequence: UInt32) -> [UInt8] {
        let listening = UInt32(1) << 10
        let name: UInt32 = 0x1
        let body = [UInt8(1), 0, 0, 0] + bytes(of: listening) + bytes(of: UInt32(0)) + bytes(of: name) + noCookie
        return header(byFamily, length: body.count, flags: request | dump, sequence: sequence) + body
    }

    private static func header(_ type: UInt16, length: Int, flags: UInt16, sequence: UInt32) -> [UInt8] {
        bytes(of: UInt32(headerSize + length)) + bytes(of: type) + bytes(of: flags) + bytes(of: sequence)
            + bytes(of: UInt32(0))
    }

    private static func padded(_ address: NetworkAddress) -> [UInt8] {
        address.bytes + [UInt8](repeating: 0, count: 16 - address.bytes.count)
    }

    private static func bigEndian(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

    private static func bytes(of value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value) { Array($0) }
    }

    /// Numbers of INET_DIAG_* and UNIX_DIAG_* attributes.
    enum Attribute {
        static let tcpInfo = 2
        static let cgroupID = 21
        static let unixName = 0
        static let unixPeer = 2
        static let unixQueues = 4
    }
}

/// One answer message.
enum SockDiagAnswer: Equatable {
    /// A socket's message: the payload behind the netlink header.
    case socket(payload: ByteReader)
    /// The end of a dump, with the error that ended it (0: none).
    case done(errno: Int32)
    /// An error, or an acknowledgement (0).
    case error(errno: Int32)
    /// Something else, such as NLMSG_NOOP.
    case other
}

extension SockDiagMessage {
    /// The messages of one datagram. Those of another sequence number are left out; a message whose length does not fit
    /// ends the datagram.
    ///
    /// - Returns: The answers, whether one of them said that the tables changed meanwhile, and whether the datagram was
    ///   whole.
    static func answers(
        in datagram: ArraySlice<UInt8>,
        sequence: UInt32
    ) -> (answers: [SockDiagAnswer], interrupted: Bool, isWhole: Bool) {
        var answers: [SockDiagAnswer] = []
        var interrupted = false
        var rest = ByteReader(datagram)
        while rest.count > 0 {
            guard let length = rest.uint32(at: 0), let type = rest.uint16(at: 4), let flags = rest.uint16(at: 6),
                let number = rest.uint32(at: 8), Int(length) >= headerSize,
                let message = rest.slice(headerSize, upTo: Int(length))
            else { return (answers, interrupted, false) }
            rest = rest.dropping(aligned(Int(length)))
            guard number == sequence else { continue }
            if flags & 0x10 != 0 { interrupted = true }
            switch type {
            case byFamily: answers.append(.socket(payload: message))
            case 3: answers.append(.done(errno: 0 &- (message.int32(at: 0) ?? 0)))
            case 2: answers.append(.error(errno: 0 &- (message.int32(at: 0) ?? -5)))
            default: answers.append(.other)
            }
        }
        return (answers, interrupted, true)
    }

    static func aligned(_ length: Int) -> Int { (length + 3) & ~3 }

    /// Reads struct inet_diag_msg and its attributes; `nil` when it is too short or of another family.
    static func inetSocket(_ message: ByteReader, _ transport: InetSocket.Transport) -> InetSocket? {
        guard let number = message.uint8(at: 0), let family = NetworkAddress.Family(rawValue: number),
            let state = message.uint8(at: 1),
            let local = endpoint(message, family, port: 4, address: 8),
            let remote = endpoint(message, family, port: 6, address: 24),
            let interface = message.uint32(at: 40),
            let cookieLow = message.uint32(at: 44), let cookieHigh = message.uint32(at: 48),
            let receiveQueue = message.uint32(at: 56), let sendQueue = message.uint32(at: 60),
            let uid = message.uint32(at: 64), let inode = message.uint32(at: 68)
        else { return nil }
        var cgroupID: UInt64?
        var counters: TCPCounters?
        for (type, value) in attributes(message.dropping(72)) {
            switch type {
            case Attribute.tcpInfo: counters = tcpCounters(value)
            case Attribute.cgroupID: cgroupID = value.uint64(at: 0)
            default: break
            }
        }
        return InetSocket(
            transport: transport,
            state: .init(number: state),
            local: local,
            remote: remote,
            uid: uid,
            inode: UInt64(inode),
            cookie: UInt64(cookieHigh) << 32 | UInt64(cookieLow),
            receiveQueue: receiveQueue,
            sendQueue: sendQueue,
            cgroupID: cgroupID,
            counters: counters,
            interface: interface
        )
    }

    private static func endpoint(
        _ message: ByteReader,
        _ family: NetworkAddress.Family,
        port: Int,
        address: Int
    ) -> Endpoint? {
        let length = family == .v4 ? 4 : 16
        guard let high = message.uint8(at: port), let low = message.uint8(at: port + 1),
            let bytes = message.slice(address, upTo: address + length),
            let address = NetworkAddress(bytes: bytes.bytes)
        else { return nil }
        return Endpoint(address: address, port: UInt16(high) << 8 | UInt16(low))
    }

    private static func tcpCounters(_ info: ByteReader) -> TCPCounters? {
        guard let acknowledged = info.uint64(at: 120), let received = info.uint64(at: 128) else { return nil }
        return TCPCounters(bytesSent: info.uint64(at: 200), bytesAcknowledged: acknowledged, bytesReceived: received)
    }

    /// Reads struct unix_diag_msg and its attributes; `nil` when it is too short or of another family.
    static func unixSocket(_ message: ByteReader) -> UnixSocket? {
        guard message.uint8(at: 0) == 1, let type = message.uint8(at: 1), let state = message.uint8(at: 2),
            let inode = message.uint32(at: 4), message.count >= 16
        else { return nil }
        var peer: UInt64?
        var name: BytePath?
        var queues: (receive: UInt32?, send: UInt32?)
        for (number, value) in attributes(message.dropping(16)) {
            switch number {
            case Attribute.unixPeer: peer = value.uint32(at: 0).map(UInt64.init)
            case Attribute.unixName: name = unixName(value.bytes)
            case Attribute.unixQueues: queues = (value.uint32(at: 0), value.uint32(at: 4))
            default: break
            }
        }
        let listening: UInt8 = 10
        return UnixSocket(
            inode: UInt64(inode),
            peer: peer,
            type: type,
            isListening: state == listening,
            name: name,
            receiveQueue: queues.receive ?? 0,
            sendQueue: queues.send ?? 0
        )
    }

    private static func unixName(_ bytes: ArraySlice<UInt8>) -> BytePath? {
        guard bytes.first == 0 else { return BytePath(bytes) }
        // An abstract name may hold NULs anywhere; they are shown as `@` too, as ss(8) does.
        return BytePath(bytes.map { $0 == 0 ? UInt8(ascii: "@") : $0 })
    }

    /// The attributes (struct nlattr) of a message; a length that does not fit ends them.
    static func attributes(_ bytes: ByteReader) -> [(type: Int, value: ByteReader)] {
        var found: [(Int, ByteReader)] = []
        var rest = bytes
        while let length = rest.uint16(at: 0), let type = rest.uint16(at: 2), length >= 4,
            let value = rest.slice(4, upTo: Int(length))
        {
            found.append((Int(type & 0x3fff), value))
            rest = rest.dropping(aligned(Int(length)))
        }
        return found
    }
}
