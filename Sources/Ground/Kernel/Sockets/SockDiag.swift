public import Base
internal import CLinux
internal import Glibc

/// Asks the kernel for its sockets over NETLINK_SOCK_DIAG (sock_diag(7)). Sees one network namespace: the caller's, or
/// the one it was made for. Joining sockets to processes goes through the `socket:[inode]` links in /proc/PID/fd.
public struct SockDiag: ~Copyable {
    /// How many sockets a dump gives at most when the caller does not say.
    public static let defaultLimit = 262_144

    private static let netlinkSockDiag: Int32 = 4
    // The kernel fills at most 32 KiB a datagram of a dump (net/netlink/af_netlink.c).
    private static let datagramSize = 65_536

    private let socket: Descriptor

    /// Opens one for the caller's network namespace.
    ///
    /// - Throws: `system` when the kernel has no sock_diag.
    public init() throws(Failure) {
        try self.init(namespace: -1, named: "sock_diag")
    }

    /// Opens one for another network namespace by a descriptor of /proc/PID/ns/net. The process's own namespace stays.
    ///
    /// - Throws: `notPermitted` without CAP_SYS_ADMIN over that namespace, `system` else.
    public init(inNetworkNamespace descriptor: Int32) throws(Failure) {
        try self.init(namespace: descriptor, named: "sock_diag in another network namespace")
    }

    private init(namespace: Int32, named name: String) throws(Failure) {
        let number = quell_netlink_open(Self.netlinkSockDiag, namespace)
        guard number >= 0 else { throw Failure(errno: -number, "open", on: BytePath(name)) }
        socket = Descriptor(adopting: number)
    }

    /// All sockets of one transport and address family.
    ///
    /// - Throws: `timedOut` after `deadline`, `system` when the kernel refuses. A family that the kernel was built
    ///   without is not an error: it has no sockets.
    public func inetSockets(
        _ transport: InetSocket.Transport,
        _ family: NetworkAddress.Family,
        limit: Int = defaultLimit,
        by deadline: Deadline
    ) throws(Failure) -> SocketDump<InetSocket> {
        let sequence = Self.sequence()
        return try dump(
            SockDiagMessage.inetDump(transport, family, sequence: sequence),
            sequence: sequence,
            limit: limit,
            by: deadline
        ) { SockDiagMessage.inetSocket($0, transport) }
    }

    /// All TCP and UDP sockets over IPv4 and IPv6.
    ///
    /// - Throws: As ``inetSockets(_:_:limit:by:)``.
    public func allInetSockets(
        limit: Int = defaultLimit,
        by deadline: Deadline
    ) throws(Failure) -> SocketDump<InetSocket> {
        var all = SocketDump<InetSocket>()
        for transport in InetSocket.Transport.allCases {
            for family in [NetworkAddress.Family.v4, .v6] {
                let part = try inetSockets(transport, family, limit: limit - all.sockets.count, by: deadline)
                all.sockets += part.sockets
                all.isTruncated = all.isTruncated || part.isTruncated
                all.wasInterrupted = all.wasInterrupted || part.wasInterrupted
                all.unreadable += part.unreadable
            }
        }
        return all
    }

    /// All unix sockets with their names and peers.
    ///
    /// - Throws: As ``inetSockets(_:_:limit:by:)``.
    public func unixSockets(
        limit: Int = defaultLimit,
        by deadline: Deadline
    ) throws(Failure) -> SocketDump<UnixSocket> {
        let sequence = Self.sequence()
        return try dump(
            SockDiagMessage.unixDump(sequence: sequence),
            sequence: sequence,
            limit: limit,
            by: deadline,
            read: SockDiagMessage.unixSocket
        )
    }

    /// The TCP socket with exactly these two ends; `nil` when there is none.
    ///
    /// The kernel's lookup falls back to a listener on the local end, so the answer's own ends are compared. An IPv4 pair
    /// is found on a dual-stack IPv6 socket too.
    ///
    /// - Throws: As ``inetSockets(_:_:limit:by:)``.
    public func connection(
        local: Endpoint,
        remote: Endpoint,
        by deadline: Deadline
    ) throws(Failure) -> InetSocket? {
        let sequence = Self.sequence()
        try send(SockDiagMessage.tcpLookup(local: local, remote: remote, sequence: sequence))
        while true {
            let datagram = try receive(by: deadline)
            for answer in SockDiagMessage.answers(in: datagram[...], sequence: sequence).answers {
                switch answer {
                case .error(ENOENT): return nil
                case .error(let number): throw Failure(errno: number, "look up a connection", on: BytePath("\(local)"))
                case .socket(let payload):
                    guard let found = SockDiagMessage.inetSocket(payload, .tcp) else { return nil }
                    return found.joins(local, remote) ? found : nil
                case .done, .other: continue
                }
            }
        }
    }

    private static func sequence() -> UInt32 { UInt32.random(in: 1...UInt32.max) }

    private func dump<Record>(
        _ request: [UInt8],
        sequence: UInt32,
        limit: Int,
        by deadline: Deadline,
        read: (ByteReader) -> Record?
    ) throws(Failure) -> SocketDump<Record> {
        try send(request)
        var result = SocketDump<Record>()
        while true {
            let datagram = try receive(by: deadline)
            let (answers, interrupted, isWhole) = SockDiagMessage.answers(in: datagram[...], sequence: sequence)
            result.wasInterrupted = result.wasInterrupted || interrupted
            if !isWhole { result.unreadable += 1 }
            for answer in answers {
                switch answer {
                case .done(0): return result
                // ENOENT: no handler for this family in this kernel.
                case .done(ENOENT), .error(ENOENT): return result
                case .done(let number), .error(let number):
                    throw Failure(errno: number, "list sockets", on: BytePath("sock_diag"))
                case .socket(let payload): result.take(read(payload), limit: limit)
                case .other: continue
                }
            }
        }
    }

    private func send(_ request: [UInt8]) throws(Failure) {
        let sent = request.withUnsafeBytes { Glibc.send(socket.number, $0.baseAddress, $0.count, 0) }
        guard sent == request.count else { throw Failure(errno: errno, "ask for sockets", on: BytePath("sock_diag")) }
    }

    private func receive(by deadline: Deadline) throws(Failure) -> [UInt8] {
        while true {
            guard socket.wait(for: POLLIN, until: deadline) else {
                throw Failure(.timedOut, "list sockets", on: "sock_diag", because: "the kernel did not answer in time")
            }
            var count = 0
            let datagram = [UInt8](unsafeUninitializedCapacity: Self.datagramSize) { buffer, filled in
                count = recv(socket.number, buffer.baseAddress, buffer.count, 0)
                filled = max(0, count)
            }
            if count > 0 { return datagram }
            let number = errno
            guard count < 0, number == EINTR || number == EAGAIN else {
                throw Failure(errno: count < 0 ? number : EIO, "list sockets", on: BytePath("sock_diag"))
            }
        }
    }
}

extension SocketDump {
    fileprivate mutating func take(_ record: Record?, limit: Int) {
        guard let record else {
            unreadable += 1
            return
        }
        if sockets.count < limit { sockets.append(record) } else { isTruncated = true }
    }
}

extension InetSocket {
    /// Whether these are its two ends, mapped addresses taken as what they map.
    public func joins(_ local: Endpoint, _ remote: Endpoint) -> Bool {
        self.local.unmapped == local.unmapped && self.remote.unmapped == remote.unmapped
    }
}

extension Endpoint {
    /// The same port at the unmapped address.
    public var unmapped: Endpoint { Endpoint(address: address.unmapped, port: port) }
}
