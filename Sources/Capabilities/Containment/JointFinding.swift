internal import Base
internal import Kernel

/// One process with what joins it to others.
struct JoinedProcess {
    let pin: ProcessPin
    let name: BytePath
    let joints: DescriptorJoints
}

/// A socket of TCP, in the network namespace in which it was seen.
struct SeenInetSocket {
    let space: UInt64
    let socket: InetSocket
}

/// Finds who is joined to whom from descriptors and lists of sockets. Pure, so that every shape can be tested.
struct JointFinding {
    private let members: [JoinedProcess]
    private let outsiders: [Int32: JoinedProcess]
    private let unix: [UInt64: UnixSocket]
    private let inet: [SeenInetSocket]
    private let mine: Set<UInt64>
    /// The processes outside that hold a socket, in ascending order.
    private var holders: [UInt64: [Int32]] = [:]
    /// For datagrams: the sockets that are connected to one.
    private var callers: [UInt64: [UInt64]] = [:]
    private var farEnds: [Ends: [SeenInetSocket]] = [:]

    private struct Ends: Hashable {
        let near: Endpoint
        let far: Endpoint
    }

    init(members: [JoinedProcess], outsiders: [JoinedProcess], unix: [UnixSocket], inet: [SeenInetSocket]) {
        self.members = members
        self.outsiders = Dictionary(outsiders.map { ($0.pin.pid, $0) }) { first, _ in first }
        self.unix = Dictionary(unix.map { ($0.inode, $0) }) { first, _ in first }
        self.inet = inet.filter { $0.socket.transport == .tcp }
        mine = Set(members.flatMap(\.joints.sockets))
        for one in outsiders.sorted(by: { $0.pin.pid < $1.pin.pid }) {
            for inode in one.joints.sockets { holders[inode, default: []].append(one.pin.pid) }
        }
        for socket in unix {
            if let peer = socket.peer { callers[peer, default: []].append(socket.inode) }
        }
        for seen in self.inet where seen.socket.state != .listen {
            let socket = seen.socket
            farEnds[Ends(near: socket.local.unmapped, far: socket.remote.unmapped), default: []].append(seen)
        }
    }

    // MARK: Peers

    /// Who is joined to the members, by pid.
    func peers() -> [SessionPeer] {
        var links: [Int32: Set<SessionPeer.Link>] = [:]
        addPipes(&links)
        addUnixSockets(&links)
        addConnections(&links)
        return links.sorted { $0.key < $1.key }.compactMap { pid, found in
            guard let process = outsiders[pid] else { return nil }
            return SessionPeer(
                process: process.pin,
                name: process.name,
                links: found.sorted { ($0.way.rawValue, $0.role.rawValue) < ($1.way.rawValue, $1.role.rawValue) },
                otherClients: otherClients(of: process)
            )
        }
    }

    /// Whoever holds the other end of a pipe; those that share the same end with a member, as children of one shell do,
    /// are not joined to it by that.
    private func addPipes(_ links: inout [Int32: Set<SessionPeer.Link>]) {
        var held: [UInt64: PipeEnds] = [:]
        for member in members {
            for (inode, ends) in member.joints.pipes { held[inode, default: []].formUnion(ends) }
        }
        for (pid, process) in outsiders {
            for (inode, ends) in process.joints.pipes {
                guard let ours = held[inode] else { continue }
                let reaches = ours.contains(.writes) && ends.contains(.reads)
                let isReached = ours.contains(.reads) && ends.contains(.writes)
                if reaches || isReached { links[pid, default: []].insert(.init(.pipe, .partner)) }
            }
        }
    }

    private func addUnixSockets(_ links: inout [Int32: Set<SessionPeer.Link>]) {
        for inode in mine {
            guard let socket = unix[inode] else { continue }
            var others = callers[inode] ?? []
            if let peer = socket.peer { others.append(peer) }
            for other in others where !mine.contains(other) {
                let name = unix[other]?.name
                // Who was called has the name of the listener.
                let role: SessionPeer.Role = name != nil ? .server : socket.name != nil ? .client : .partner
                for pid in holders[other] ?? [] {
                    links[pid, default: []].insert(.init(.unixSocket, role, at: name ?? socket.name))
                }
            }
        }
    }

    private func addConnections(_ links: inout [Int32: Set<SessionPeer.Link>]) {
        let listening = listenedPorts(by: members)
        for seen in inet where mine.contains(seen.socket.inode) {
            for far in ends(of: seen) where !mine.contains(far.socket.inode) {
                for pid in holders[far.socket.inode] ?? [] {
                    let isServer = outsiders[pid].map { listenedPorts(by: [$0]).contains(far.socket.local.port) }
                    let isClient = listening.contains(seen.socket.local.port)
                    let role: SessionPeer.Role = isServer == true ? .server : isClient ? .client : .partner
                    let address = role == .client ? seen.socket.local : far.socket.local
                    links[pid, default: []].insert(.init(.loopback, role, at: BytePath("\(address.unmapped)")))
                }
            }
        }
    }

    /// The other ends of a connection on this machine; loopback addresses mean something in their own namespace only.
    private func ends(of seen: SeenInetSocket) -> [SeenInetSocket] {
        let socket = seen.socket
        guard socket.state != .listen else { return [] }
        let found = farEnds[Ends(near: socket.remote.unmapped, far: socket.local.unmapped)] ?? []
        return found.filter { $0.space == seen.space || !socket.remote.address.isLoopback }
    }

    private func listenedPorts(by processes: [JoinedProcess]) -> Set<UInt16> {
        let sockets = Set(processes.flatMap(\.joints.sockets))
        return Set(
            inet.filter { $0.socket.state == .listen && sockets.contains($0.socket.inode) }.map(\.socket.local.port)
        )
    }

    // MARK: Clients

    /// Somebody who is served: a process of this machine, another machine, or a connection whose other end nobody shows.
    private enum Client: Hashable {
        case process(Int32)
        case machine(NetworkAddress)
        case unseen(UInt64)
    }

    /// Whom a process serves beside the session.
    private func otherClients(of server: JoinedProcess) -> Int {
        var clients: Set<Client> = []
        for inode in server.joints.sockets {
            guard let socket = unix[inode], socket.name != nil else { continue }
            clients.formUnion(callersFromOutside(of: socket))
        }
        let ports = listenedPorts(by: [server])
        for seen in inet
        where server.joints.sockets.contains(seen.socket.inode) && ports.contains(seen.socket.local.port) {
            clients.formUnion(callersFromOutside(of: seen))
        }
        clients.formUnion(pipeClients(of: server))
        clients.remove(.process(server.pin.pid))
        return clients.count
    }

    private func callersFromOutside(of socket: UnixSocket) -> [Client] {
        var others = callers[socket.inode] ?? []
        if let peer = socket.peer { others.append(peer) }
        return Set(others).filter { !mine.contains($0) }.map { other in
            (holders[other]?.first).map(Client.process) ?? .unseen(other)
        }
    }

    private func callersFromOutside(of seen: SeenInetSocket) -> [Client] {
        guard seen.socket.state == .established else { return [] }
        let far = ends(of: seen)
        if far.contains(where: { mine.contains($0.socket.inode) }) { return [] }
        guard let other = far.first else { return [.machine(seen.socket.remote.address.unmapped)] }
        return [(holders[other.socket.inode]?.first).map(Client.process) ?? .unseen(other.socket.cookie)]
    }

    /// Who writes to it through one pipe and reads from it through another, as the client of a tool server on stdin and
    /// stdout does.
    private func pipeClients(of server: JoinedProcess) -> [Client] {
        let input = server.joints.pipes.filter { $0.value.contains(.reads) }.map(\.key)
        let output = server.joints.pipes.filter { $0.value.contains(.writes) }.map(\.key)
        guard !input.isEmpty, !output.isEmpty else { return [] }
        return outsiders.values.filter { other in
            input.contains { other.joints.pipes[$0]?.contains(.writes) == true }
                && output.contains { other.joints.pipes[$0]?.contains(.reads) == true }
        }
        .map { .process($0.pin.pid) }
    }

    // MARK: Services

    /// What the members serve to others.
    func services() -> [SessionService] {
        var found: [SessionService] = []
        for member in members.sorted(by: { $0.pin.pid < $1.pin.pid }) {
            for kind in ServingDescriptor.allCases where member.joints.serving.contains(kind) {
                found.append(SessionService(.init(kind), by: member.pin, at: nil, clients: nil))
            }
            for seen in inet where seen.socket.state == .listen && member.joints.sockets.contains(seen.socket.inode) {
                let port = seen.socket.local.port
                let accepted = inet.filter {
                    $0.space == seen.space && mine.contains($0.socket.inode) && $0.socket.local.port == port
                        && $0.socket.state != .listen
                }
                let clients = Set(accepted.flatMap(callersFromOutside))
                found.append(service(.tcp, member, at: BytePath("\(seen.socket.local)"), clients))
            }
            for inode in member.joints.sockets.sorted() {
                guard let listener = unix[inode], listener.isListening else { continue }
                let accepted = unix.values.filter { $0.name == listener.name && mine.contains($0.inode) }
                let clients = Set(accepted.flatMap(callersFromOutside))
                found.append(service(.unixSocket, member, at: listener.name, clients))
            }
        }
        // Children inherit listening sockets: each is told once.
        var seen: Set<String> = []
        return found.filter { one in
            one.address.map { seen.insert("\(one.kind.rawValue) \($0)").inserted } ?? true
        }
    }

    private func service(
        _ kind: SessionService.Kind,
        _ member: JoinedProcess,
        at address: BytePath?,
        _ clients: Set<Client>
    ) -> SessionService {
        let pids = clients.compactMap { if case .process(let pid) = $0 { pid } else { nil } }.sorted()
        return SessionService(
            kind,
            by: member.pin,
            at: address,
            clients: clients.count,
            clientPids: Array(pids.prefix(8))
        )
    }
}

extension SessionService.Kind {
    fileprivate init(_ kind: ServingDescriptor) {
        self =
            switch kind {
            case .fuse: .fuse
            case .fanotify: .fanotify
            case .seccompListener: .seccompListener
            case .blockDevice: .blockDevice
            case .userfaultfd: .userfaultfd
            }
    }
}
