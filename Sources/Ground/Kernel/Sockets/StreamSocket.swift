public import Base
internal import CLinux
internal import Glibc

/// A connected stream socket to a loopback TCP port or a unix path. Never blocks beyond the deadline it is given, never
/// raises SIGPIPE, never looks a name up.
public struct StreamSocket: ~Copyable {
    private let socket: Descriptor
    /// What it is connected to, for messages.
    public let name: String

    private init(_ socket: consuming Descriptor, name: String) {
        self.socket = socket
        self.name = name
    }

    /// Connects over TCP.
    ///
    /// - Throws: `timedOut` after `deadline`, `system` with the errno of connect(2) (ECONNREFUSED: nobody listens).
    public static func connect(to endpoint: Endpoint, by deadline: Deadline) throws(Failure) -> StreamSocket {
        let name = endpoint.description
        var address = quell_inet_address(endpoint)
        var pending: Int32 = 0
        let number = quell_tcp_connect(&address, &pending)
        guard number >= 0 else { throw Failure(errno: -number, "connect", on: BytePath(name)) }
        let socket = Descriptor(adopting: number)
        if pending != 0 {
            guard socket.wait(for: POLLOUT, until: deadline) else { throw Self.late("connect", name) }
            let error = abs(quell_socket_error(socket.number))
            guard error == 0 else { throw Failure(errno: error, "connect", on: BytePath(name)) }
        }
        return StreamSocket(socket, name: name)
    }

    /// Connects to a listening unix socket by its path, at once or not at all. Somebody else may have laid a file server
    /// over the path, which then holds up who walks it: so the connecting is done in a child, which is given up.
    ///
    /// - Throws: `timedOut` after `deadline`, `notFound` when there is no such socket, `system` with the errno of
    ///   connect(2); EAGAIN means that its backlog is full.
    public static func connect(
        toUnixSocket path: BytePath,
        by deadline: Deadline
    ) throws(Failure) -> StreamSocket {
        var output: Int32 = -1
        var pid: Int32 = -1
        let handle = path.bytes.withUnsafeBufferPointer { bytes in
            quell_connect_child(bytes.baseAddress, bytes.count, &output, &pid)
        }
        guard handle >= 0 else { throw Failure(errno: -handle, "start a child", on: path) }
        let child = ChildProcess(pid: pid, handle: Descriptor(adopting: handle), name: path)
        let result = Descriptor(adopting: output)
        let isThrough = result.wait(for: POLLIN, until: deadline)
        child.giveUp()
        guard isThrough else { throw Self.late("connect", path.description) }
        let number = quell_take_connected(result.number)
        guard number >= 0 else { throw Failure(errno: -number, "connect", on: path) }
        return StreamSocket(Descriptor(adopting: number), name: path.description)
    }

    /// Sends all bytes.
    ///
    /// - Throws: `timedOut` after `deadline` (some bytes may be sent), `system` with the errno of send(2), EPIPE or
    ///   ECONNRESET when the peer is gone.
    public func send(_ bytes: UnsafeRawBufferPointer, by deadline: Deadline) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
            let count = Glibc.send(socket.number, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            let number = errno
            if count >= 0 {
                sent += count
            } else if number == EAGAIN {
                guard socket.wait(for: POLLOUT, until: deadline) else { throw Self.late("send", name) }
            } else if number != EINTR {
                throw Failure(errno: number, "send", on: BytePath(name))
            }
        }
    }

    /// Sends all bytes of an array, as above.
    public func send(_ bytes: [UInt8], by deadline: Deadline) throws(Failure) {
        try bytes.withUnsafeBufferPointer { buffer throws(Failure) in
            try send(UnsafeRawBufferPointer(buffer), by: deadline)
        }
    }

    /// Reads what is there, at least one byte and at most `limit`.
    ///
    /// - Returns: No bytes when the peer has closed its end, which is not an error.
    /// - Throws: `timedOut` after `deadline`, `system` with the errno of recv(2).
    public func receive(atMost limit: Int, by deadline: Deadline) throws(Failure) -> [UInt8] {
        while true {
            var count = 0
            var number: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: max(1, limit)) { buffer, filled in
                count = recv(socket.number, buffer.baseAddress, max(1, limit), 0)
                number = errno
                filled = max(0, count)
            }
            if count >= 0 { return bytes }
            if number == EAGAIN {
                guard socket.wait(for: POLLIN, until: deadline) else { throw Self.late("receive", name) }
            } else if number != EINTR {
                throw Failure(errno: number, "receive", on: BytePath(name))
            }
        }
    }

    /// This end of a TCP connection.
    ///
    /// - Throws: `system` for a unix socket.
    public func localEndpoint() throws(Failure) -> Endpoint {
        var address = quell_inet_address()
        let result = quell_socket_name(socket.number, &address)
        return try Self.endpoint(address, result, name)
    }

    /// The other end of a TCP connection.
    ///
    /// - Throws: `system` for a unix socket or when the peer is gone (ENOTCONN).
    public func remoteEndpoint() throws(Failure) -> Endpoint {
        var address = quell_inet_address()
        let result = quell_socket_peer(socket.number, &address)
        return try Self.endpoint(address, result, name)
    }

    /// Who listened at the other end of a unix socket, as the kernel noted it at listen(2) (SO_PEERCRED, unix(7)).
    ///
    /// - Throws: `system` for other sockets.
    public func peerCredentials() throws(Failure) -> (pid: Int32, uid: UInt32, gid: UInt32) {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        let result = quell_peer_credentials(socket.number, &pid, &uid, &gid)
        guard result == 0 else { throw Failure(errno: -result, "ask for the peer", on: BytePath(name)) }
        return (pid, uid, gid)
    }

    private static func endpoint(
        _ address: quell_inet_address,
        _ result: Int32,
        _ name: String
    ) throws(Failure) -> Endpoint {
        guard result == 0 else { throw Failure(errno: -result, "ask for the ends", on: BytePath(name)) }
        guard let endpoint = address.endpoint else {
            throw Failure(.system, "ask for the ends", on: name, because: "not an internet socket")
        }
        return endpoint
    }

    private static func late(_ attempt: String, _ name: String) -> Failure {
        Failure(.timedOut, attempt, on: name, because: "no answer in time")
    }
}

extension quell_inet_address {
    init(_ endpoint: Endpoint) {
        self.init()
        family = Int32(endpoint.address.family.rawValue)
        port = endpoint.port
        withUnsafeMutableBytes(of: &bytes) { $0.copyBytes(from: endpoint.address.bytes) }
    }

    var endpoint: Endpoint? {
        let length = family == AF_INET ? 4 : 16
        let address = withUnsafeBytes(of: bytes) { NetworkAddress(bytes: $0.prefix(length)) }
        return address.map { Endpoint(address: $0, port: port) }
    }
}
