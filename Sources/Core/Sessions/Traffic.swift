internal import Base
internal import Kernel

/// What went over the connections that processes hold open now.
struct Traffic {
    /// How many there are.
    let connections: Int
    /// Bytes sent over those of TCP.
    let bytesSent: UInt64
    /// Bytes received over them.
    let bytesReceived: UInt64
    /// The other ends, most bytes sent first.
    let peers: [OverviewPeer]

    /// Adds up; a connection that several processes hold counts once.
    init(of processes: [OverviewProcess], over sockets: [UInt64: InetSocket]) {
        let inodes = processes.reduce(into: Set<UInt64>()) { $0.formUnion($1.sockets) }
        let open = inodes.compactMap { sockets[$0] }.filter { $0.remote.port != 0 }
        var peers: [Endpoint: (connections: Int, sent: UInt64)] = [:]
        for socket in open {
            let before = peers[socket.remote.unmapped] ?? (0, 0)
            peers[socket.remote.unmapped] = (before.connections + 1, before.sent + socket.sent)
        }
        connections = open.count
        bytesSent = open.reduce(0) { $0 + $1.sent }
        bytesReceived = open.reduce(0) { $0 + ($1.counters?.bytesReceived ?? 0) }
        self.peers =
            peers
            .map { OverviewPeer(endpoint: $0.key, connections: $0.value.connections, bytesSent: $0.value.sent) }
            .sorted { ($1.bytesSent, $0.endpoint.description) < ($0.bytesSent, $1.endpoint.description) }
    }
}

extension InetSocket {
    /// Kernels before 4.19 count only what was acknowledged.
    fileprivate var sent: UInt64 { counters.map { $0.bytesSent ?? $0.bytesAcknowledged } ?? 0 }
}
