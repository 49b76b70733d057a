public import Base

/// One TCP, UDP or raw socket as the kernel's sock_diag reports it (sock_diag(7), linux/inet_diag.h).
public struct InetSocket: Hashable, Sendable, Codable {
    /// The transport.
    public enum Transport: String, Hashable, Sendable, Codable, CaseIterable {
        /// IPPROTO_TCP.
        case tcp
        /// IPPROTO_UDP.
        case udp
        /// Raw IP sockets of any protocol, where the kernel tells them (CONFIG_INET_RAW_DIAG).
        case raw

        var number: UInt8 {
            switch self {
            case .tcp: 6
            case .udp: 17
            case .raw: 255
            }
        }
    }

    /// The state (include/net/tcp_states.h); a UDP socket is `established` when connected, else `closed`.
    public enum State: String, Hashable, Sendable, Codable {
        case established, synSent, synReceived, finWait1, finWait2, timeWait, closed, closeWait, lastAck, listen
        case closing, newSynReceived
        /// A number this version does not know.
        case other

        static let order: [State] = [
            .other, .established, .synSent, .synReceived, .finWait1, .finWait2, .timeWait, .closed, .closeWait,
            .lastAck, .listen, .closing, .newSynReceived,
        ]

        init(number: UInt8) { self = Int(number) < State.order.count ? State.order[Int(number)] : .other }
    }

    /// The transport.
    public let transport: Transport
    /// The state.
    public let state: State
    /// This end.
    public let local: Endpoint
    /// The other end; all zero when there is none.
    public let remote: Endpoint
    /// The owner's user id in the initial namespace, at the time of the socket's creation.
    public let uid: UInt32
    /// The inode that `/proc/PID/fd` links show as `socket:[N]`; 0 for a socket that no descriptor holds (time-wait, or
    /// not accepted yet).
    public let inode: UInt64
    /// The kernel's cookie, unique as long as the machine is up.
    public let cookie: UInt64
    /// Bytes received and not yet read; for a listener, connections not yet accepted.
    public let receiveQueue: UInt32
    /// Bytes not yet acknowledged by the peer; for a listener, the length of its backlog.
    public let sendQueue: UInt32
    /// The inode of the cgroup v2 directory in which the socket was created (INET_DIAG_CGROUP_ID); `nil` when the kernel
    /// does not tell. A process that moves keeps its old sockets' ids.
    public let cgroupID: UInt64?
    /// The counters of a TCP connection; `nil` for UDP, for listeners of old kernels and for time-wait.
    public let counters: TCPCounters?
    /// The index of the interface that the socket is bound to, 0 for none.
    public let interface: UInt32

    /// Takes all parts.
    public init(
        transport: Transport,
        state: State,
        local: Endpoint,
        remote: Endpoint,
        uid: UInt32,
        inode: UInt64,
        cookie: UInt64,
        receiveQueue: UInt32 = 0,
        sendQueue: UInt32 = 0,
        cgroupID: UInt64? = nil,
        counters: TCPCounters? = nil,
        interface: UInt32 = 0
    ) {
        self.transport = transport
        self.state = state
        self.local = local
        self.remote = remote
        self.uid = uid
        self.inode = inode
        self.cookie = cookie
        self.receiveQueue = receiveQueue
        self.sendQueue = sendQueue
        self.cgroupID = cgroupID
        self.counters = counters
        self.interface = interface
    }
}

/// Byte counters of a TCP connection since it was opened (struct tcp_info, linux/tcp.h).
public struct TCPCounters: Hashable, Sendable, Codable {
    /// Payload bytes sent, retransmissions included; `nil` before kernel 4.19.
    public let bytesSent: UInt64?
    /// Payload bytes that the peer acknowledged; the kernel counts the handshake as one byte.
    public let bytesAcknowledged: UInt64
    /// Payload bytes received.
    public let bytesReceived: UInt64

    /// Takes all parts.
    public init(bytesSent: UInt64?, bytesAcknowledged: UInt64, bytesReceived: UInt64) {
        self.bytesSent = bytesSent
        self.bytesAcknowledged = bytesAcknowledged
        self.bytesReceived = bytesReceived
    }
}

/// One unix socket as sock_diag reports it (linux/unix_diag.h).
public struct UnixSocket: Hashable, Sendable, Codable {
    /// The socket's inode, as in `socket:[N]`.
    public let inode: UInt64
    /// The inode of the socket at the other end, when connected.
    public let peer: UInt64?
    /// SOCK_STREAM 1, SOCK_DGRAM 2, SOCK_SEQPACKET 5.
    public let type: UInt8
    /// Whether it listens.
    public let isListening: Bool
    /// The name it was bound to; an abstract name has a leading `@` here instead of its NUL.
    public let name: BytePath?
    /// Bytes received and not yet read; for a listener, connections not yet accepted.
    public let receiveQueue: UInt32
    /// Bytes sent that the peer has not read; for a listener, the length of its backlog.
    public let sendQueue: UInt32

    /// Takes all parts.
    public init(
        inode: UInt64,
        peer: UInt64?,
        type: UInt8,
        isListening: Bool,
        name: BytePath?,
        receiveQueue: UInt32 = 0,
        sendQueue: UInt32 = 0
    ) {
        self.inode = inode
        self.peer = peer
        self.type = type
        self.isListening = isListening
        self.name = name
        self.receiveQueue = receiveQueue
        self.sendQueue = sendQueue
    }
}

/// What a dump gave.
public struct SocketDump<Record: Sendable & Hashable>: Sendable, Hashable {
    /// The sockets in the kernel's order.
    public var sockets: [Record] = []
    /// Whether the dump stopped at its limit: there are more sockets than these.
    public var isTruncated = false
    /// Whether the kernel's tables changed meanwhile (NLM_F_DUMP_INTR): some sockets may be missing or twice.
    public var wasInterrupted = false
    /// Messages that this version could not read.
    public var unreadable = 0
}
