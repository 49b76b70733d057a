public import Base
internal import CLinux
internal import Glibc

/// A socket that a process holds as one of its descriptors.
public struct SocketHolding: Hashable, Sendable {
    /// The number of the descriptor.
    public let descriptor: Int32
    /// The inode, as in `socket:[N]`.
    public let inode: UInt64
}

/// What a held socket is, where no dump has it: of another family, closed, or of a namespace that no process stands in.
public struct SocketFacts: Hashable, Sendable, Codable {
    /// AF_* (SO_DOMAIN).
    public let family: Int32
    /// SOCK_* (SO_TYPE).
    public let type: Int32
    /// SO_PROTOCOL; for packet sockets in network order.
    public let `protocol`: Int32

    /// Takes all parts.
    public init(family: Int32, type: Int32, protocol: Int32) {
        self.family = family
        self.type = type
        self.protocol = `protocol`
    }

    /// AF_INET or AF_INET6.
    public var isInternet: Bool { family == AF_INET || family == AF_INET6 }

    /// The family by the name people know, for those that can carry data off the machine or past a drop; else `nil`.
    public var wayOut: String? {
        switch family {
        case 17: "packet"
        case 40: "vsock"
        case 44: "XDP"
        case 30: "TIPC"
        case 31: "bluetooth"
        case 29: "CAN"
        case 21: "RDS"
        case 43: "SMC"
        default: nil
        }
    }
}

extension ProcessDirectory {
    /// The sockets in the descriptor table of the process, and of each thread that has one of its own: links are read,
    /// nothing is opened. A table is read once, however many threads share it (kcmp(2)), because a session can have
    /// thousands of both.
    public func socketHoldings() throws(Failure) -> Set<SocketHolding> {
        var found: Set<SocketHolding> = []
        try forEachTable { name throws(Failure) in
            try forEachDescriptor(of: name) { number, target throws(Failure) in
                guard let inode = target.socketInode else { return }
                found.insert(SocketHolding(descriptor: number, inode: inode))
            }
        }
        return found
    }

    /// The same, with where sockets can be parked besides. What waits at a socket in `known` was asked for before.
    public func socketTable(besides known: (UInt64) -> Bool) throws(Failure) -> SocketTable {
        var found = SocketTable()
        var asked: Set<UInt64> = []
        try forEachTable { name throws(Failure) in
            try forEachDescriptor(of: name) { number, target throws(Failure) in
                if let inode = target.socketInode {
                    found.holdings.insert(SocketHolding(descriptor: number, inode: inode))
                    guard !known(inode), asked.insert(inode).inserted else { return }
                    found.inFlight += SocketTable.waiting(try info(name, number) ?? [])
                } else if target == SocketTable.ring, let info = try info(name, number) {
                    found.addRing(info)
                }
            }
        }
        return found
    }

    /// `nil` for a descriptor that was closed meanwhile.
    private func info(_ table: String, _ number: Int32) throws(Failure) -> [UInt8]? {
        do throws(Failure) {
            return try read("\(table)info/\(number)", limit: 64 << 20)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// The names of its tables in procfs, each table once.
    private func forEachTable(_ look: (String) throws(Failure) -> Void) throws(Failure) {
        try look("fd")
        var owners = [pid]
        for thread in try threadIDs() where thread != pid {
            if owners.contains(where: { quell_shares_descriptors($0, thread) == 1 }) { continue }
            do throws(Failure) {
                try look("task/\(thread)/fd")
                if owners.count < 64 { owners.append(thread) }
            } catch {
                // A thread that has ended holds nothing.
                guard error.code == .notFound || error.errno == ESRCH else { throw error }
            }
        }
    }

    private func forEachDescriptor(
        of name: String,
        _ look: (Int32, BytePath) throws(Failure) -> Void
    ) throws(Failure) {
        let path = BytePath(name)
        let table = try directory.open(path, O_RDONLY | O_DIRECTORY, to: "list the open files of process \(pid)")
        for number in try table.numbers(in: path) {
            guard let target = try link("\(name)/\(number)") else { continue }
            try look(number, target)
        }
    }

    /// The network namespaces that its threads stand in, each once, with a thread that does.
    public func networkNamespaces() throws(Failure) -> [UInt64: Int32] {
        var found: [UInt64: Int32] = [:]
        for thread in try threadIDs() {
            guard let text = try link("task/\(thread)/ns/net") else { continue }
            let digits = text.bytes.drop { $0 != UInt8(ascii: "[") }.dropFirst().prefix { $0 != UInt8(ascii: "]") }
            if let inode = Decimal.uint64(digits), found[inode] == nil { found[inode] = thread }
        }
        return found
    }
}

extension PidFD {
    /// What a held socket is, and its network namespace (pidfd_getfd(2), SIOCGSKNS). The socket itself is not touched.
    ///
    /// - Throws: `notFound` or `system` when the descriptor is closed by now, `notPermitted` without the right to look.
    public func facts(of holding: SocketHolding) throws(Failure) -> (facts: SocketFacts, space: NamespaceSockets) {
        var family: Int32 = 0
        var type: Int32 = 0
        var number: Int32 = 0
        let result = quell_socket_facts(handle, holding.descriptor, &family, &type, &number)
        guard result >= 0 else {
            throw Failure(errno: -result, "look at a socket of process \(pin.pid)", on: BytePath("\(holding.inode)"))
        }
        let space = try NamespaceSockets(adopting: Descriptor(adopting: result))
        return (SocketFacts(family: family, type: type, protocol: number), space)
    }
}
