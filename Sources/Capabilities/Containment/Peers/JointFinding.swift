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

/// Finds who is joined to whom from descriptors and lists of sockets. Pure, so that every shape can be tested. A session can
/// have any number of everything, so that each list is gone through once, and no further than the deadline (RT13).
struct JointFinding {
    private let members: [JoinedProcess]
    private let outsiders: [Int32: JoinedProcess]
    private let unix: [UInt64: UnixSocket]
    /// The TCP sockets that somebody can hold.
    private let inet: [UInt64: SeenInetSocket]
    private let mine: Set<UInt64>
    private let deadline: Deadline
    /// The processes outside that hold a socket, in ascending order.
    private var holders: [UInt64: [Int32]] = [:]
    /// For datagrams: the sockets that are connected to one.
    private var callers: [UInt64: [UInt64]] = [:]
    private var farEnds: [Ends: [SeenInetSocket]] = [:]
    /// Who holds which ends of a pipe, outside.
    private var pipeHolders: [UInt64: [(pid: Int32, ends: PipeEnds)]] = [:]

    private struct Ends: Hashable {
        let near: Endpoint
        let far: Endpoint
    }

    init(
        members: [JoinedProcess],
        outsiders: [JoinedProcess],
        unix: [UnixSocket],
        inet: [SeenInetSocket],
        by deadline: Deadline = Deadline(after: .seconds(600))
    ) {
        self.members = members
        self.outsiders = Dictionary(outsiders.map { ($0.pin.pid, $0) }) { first, _ in first }
        self.unix = Dictionary(unix.map { ($0.inode, $0) }) { first, _ in first }
        self.deadline = deadline
        let streams = inet.filter { $0.socket.transport == .tcp }
        let held = streams.filter { $0.socket.inode != 0 }
        self.inet = Dictionary(held.map { ($0.socket.inode, $0) }) { first, _ in first }
        mine = Set(members.flatMap(\.joints.sockets))
        for one in outsiders.sorted(by: { $0.pin.pid < $1.pin.pid }) {
            for inode in one.joints.sockets { holders[inode, default: []].append(one.pin.pid) }
            for (inode, ends) in one.joints.pipes { pipeHolders[inode, default: []].append((one.pin.pid, ends)) }
        }
        for socket in unix {
            if let peer = socket.peer { callers[peer, default: []].append(socket.inode) }
        }
        for seen in streams where seen.socket.state != .listen {
            let socket = seen.socket
            farEnds[Ends(near: socket.local.unmapped, far: socket.remote.unmapped), default: []].append(seen)
        }
    }

    // MARK: Peers

    /// Who is joined to the members, by pid. What could not be looked at in time is in `unknown`, in words for people.
    func peers(_ unknown: inout [String]) -> [SessionPeer] {
        var links: [Int32: Set<SessionPeer.Link>] = [:]
        addPipes(&links)
        addFIFOs(&links)
        let isWhole = addUnixSockets(&links) && addConnections(&links)
        if !isWhole { unknown.append("who else is joined to it by a socket: no time was left") }
        var peers: [SessionPeer] = []
        var uncounted = 0
        for (pid, found) in links.sorted(by: { $0.key < $1.key }) {
            guard let process = outsiders[pid] else { continue }
            if deadline.hasPassed { uncounted += 1 }
            peers.append(
                SessionPeer(
                    process: process.pin,
                    name: process.name,
                    links: found.sorted { ($0.way.rawValue, $0.role.rawValue) < ($1.way.rawValue, $1.role.rawValue) },
                    otherClients: uncounted > 0 ? 0 : otherClients(of: process)
                )
            )
        }
        if uncounted > 0 { unknown.append("whom \(uncounted) of its peers serve besides: no time was left") }
        return peers
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
                guard let ours = held[inode], JointFinding.meet(ours, ends) else { continue }
                links[pid, default: []].insert(.init(.pipe, .partner))
            }
        }
    }

    /// The same for FIFOs that have a name, each by the path that the member has it by.
    private func addFIFOs(_ links: inout [Int32: Set<SessionPeer.Link>]) {
        var held: [FileIdentity: HeldFIFO] = [:]
        for (file, fifo) in members.flatMap(\.joints.fifos) {
            held[file, default: HeldFIFO(path: fifo.path, ends: [])].ends.formUnion(fifo.ends)
        }
        for (pid, process) in outsiders {
            for (file, fifo) in process.joints.fifos {
                guard let ours = held[file], JointFinding.meet(ours.ends, fifo.ends) else { continue }
                links[pid, default: []].insert(.init(.fifo, .partner, at: ours.path))
            }
        }
    }

    /// Whether one of two holders of a pipe can read what the other one writes.
    private static func meet(_ one: PipeEnds, _ other: PipeEnds) -> Bool {
        one.contains(.writes) && other.contains(.reads) || one.contains(.reads) && other.contains(.writes)
    }

    /// Gives whether all were looked at in time.
    private func addUnixSockets(_ links: inout [Int32: Set<SessionPeer.Link>]) -> Bool {
        for inode in mine {
            guard !deadline.hasPassed else { return false }
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
        return true
    }

    /// Gives whether all were looked at in time.
    private func addConnections(_ links: inout [Int32: Set<SessionPeer.Link>]) -> Bool {
        let listening = listenedPorts(by: members)
        var ports: [Int32: Set<UInt16>] = [:]
        for seen in mine.compactMap({ inet[$0] }) {
            guard !deadline.hasPassed else { return false }
            for far in ends(of: seen) where !mine.contains(far.socket.inode) {
                for pid in holders[far.socket.inode] ?? [] {
                    let theirs = ports[pid] ?? outsiders[pid].map { listenedPorts(by: [$0]) } ?? []
                    ports[pid] = theirs
                    let isServer = theirs.contains(far.socket.local.port)
                    let isClient = listening.contains(seen.socket.local.port)
                    let role: SessionPeer.Role = isServer ? .server : isClient ? .client : .partner
                    let address = role == .client ? seen.socket.local : far.socket.local
                    links[pid, default: []].insert(.init(.loopback, role, at: BytePath("\(address.unmapped)")))
                }
            }
        }
        return true
    }

    /// The other ends of a connection on this machine; loopback addresses mean something in their own namespace only.
    private func ends(of seen: SeenInetSocket) -> [SeenInetSocket] {
        let socket = seen.socket
        guard socket.state != .listen else { return [] }
        let found = farEnds[Ends(near: socket.remote.unmapped, far: socket.local.unmapped)] ?? []
        return found.filter { $0.space == seen.space || !socket.remote.address.isLoopback }
    }

    private func listenedPorts(by processes: [JoinedProcess]) -> Set<UInt16> {
        var ports: Set<UInt16> = []
        for inode in processes.lazy.flatMap(\.joints.sockets) {
            if let socket = inet[inode]?.socket, socket.state == .listen { ports.insert(socket.local.port) }
        }
        return ports
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
        for seen in server.joints.sockets.compactMap({ inet[$0] }) where ports.contains(seen.socket.local.port) {
            clients.formUnion(callersFromOutside(of: seen))
        }
        clients.formUnion(pipeClients(of: server))
        clients.formUnion(fifoClients(of: server))
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
        var writers: Set<Int32> = []
        var readers: Set<Int32> = []
        for (inode, ends) in server.joints.pipes {
            for (pid, others) in pipeHolders[inode] ?? [] {
                if ends.contains(.reads), others.contains(.writes) { writers.insert(pid) }
                if ends.contains(.writes), others.contains(.reads) { readers.insert(pid) }
            }
        }
        return writers.intersection(readers).map(Client.process)
    }

    /// Who writes to it through a FIFO: a name is there for anybody to call by.
    private func fifoClients(of server: JoinedProcess) -> [Client] {
        let input = server.joints.fifos.filter { $0.value.ends.contains(.reads) }.map(\.key)
        guard !input.isEmpty else { return [] }
        return outsiders.values.filter { other in
            input.contains { other.joints.fifos[$0]?.ends.contains(.writes) == true }
        }
        .map { .process($0.pin.pid) }
    }

    // MARK: Services

    /// A port that members accept connections at.
    private struct Port: Hashable {
        let space: UInt64
        let number: UInt16
    }

    /// What the members serve to others, each address once: children inherit listening sockets.
    func services(_ unknown: inout [String]) -> [SessionService] {
        var atPort: [Port: [SeenInetSocket]] = [:]
        var atName: [BytePath: [UnixSocket]] = [:]
        for inode in mine {
            if let seen = inet[inode], seen.socket.state != .listen {
                atPort[Port(space: seen.space, number: seen.socket.local.port), default: []].append(seen)
            } else if let socket = unix[inode], let name = socket.name {
                atName[name, default: []].append(socket)
            }
        }
        // Many may listen at one port, each at an address of its own.
        var clientsAtPort: [Port: Set<Client>] = [:]
        var found: [SessionService] = []
        var told: Set<UInt64> = []
        for member in members.sorted(by: { $0.pin.pid < $1.pin.pid }) {
            for kind in ServingDescriptor.allCases where member.joints.serving.contains(kind) {
                found.append(SessionService(.init(kind), by: member.pin, at: nil, clients: nil))
            }
            for inode in member.joints.sockets.sorted() where !told.contains(inode) {
                guard !deadline.hasPassed else {
                    unknown.append("what else it listens at: no time was left")
                    return JointFinding.once(found)
                }
                if let seen = inet[inode], seen.socket.state == .listen {
                    let port = Port(space: seen.space, number: seen.socket.local.port)
                    let clients = clientsAtPort[port] ?? Set((atPort[port] ?? []).flatMap(callersFromOutside))
                    clientsAtPort[port] = clients
                    found.append(service(.tcp, member, at: BytePath("\(seen.socket.local)"), clients))
                } else if let listener = unix[inode], listener.isListening {
                    let accepted = listener.name.flatMap { atName[$0] } ?? []
                    let clients = Set(accepted.flatMap(callersFromOutside))
                    found.append(service(.unixSocket, member, at: listener.name, clients))
                }
                told.insert(inode)
            }
        }
        return JointFinding.once(found)
    }

    private static func once(_ found: [SessionService]) -> [SessionService] {
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
