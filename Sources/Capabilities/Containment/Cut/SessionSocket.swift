public import Kernel
public import Base

/// One socket of a session, as it was before it was destroyed.
public struct SessionSocket: Hashable, Sendable, Codable {
    /// The inode of its network namespace.
    public let networkNamespace: UInt64
    /// TCP, UDP or raw, with peers, state and queues; else `nil`.
    public let inet: InetSocket?
    /// A unix socket; else `nil`.
    public let unix: UnixSocket?
    /// What is known of a socket that no list of the kernel has; else `nil`.
    public let other: SocketFacts?
    /// The inode by which descriptors refer to it; 0 for a connection that nobody has accepted yet.
    public let inode: UInt64
    /// The processes that hold it.
    public let holders: [ProcessPin]
    /// Whether the cgroup in which it was made is cut; `nil` where the kernel does not tell its cgroup.
    public let isCut: Bool?

    init(
        in space: UInt64,
        inet: InetSocket? = nil,
        unix: UnixSocket? = nil,
        other: SocketFacts? = nil,
        inode: UInt64,
        holders: [ProcessPin],
        isCut: Bool? = nil
    ) {
        networkNamespace = space
        self.inet = inet
        self.unix = unix
        self.other = other
        self.inode = inode
        self.holders = holders
        self.isCut = isCut
    }

    /// Whether it sends whole frames, past everything that looks at internet sockets: AF_PACKET, AF_XDP.
    var sendsFrames: Bool { other.map { $0.family == 17 || $0.family == 44 } ?? false }

    /// One line for people.
    public var text: String {
        let held = holders.isEmpty ? "held by nobody" : "held by " + holders.map { "\($0.pid)" }.joined(separator: ", ")
        if let inet {
            return "\(inet.transport.rawValue) \(inet.local) to \(inet.remote) (\(inet.state.rawValue)), \(held)"
        }
        if let unix { return "unix socket \(unix.name?.description ?? "\(unix.inode)"), \(held)" }
        if let other { return "\(other.wayOut ?? "family \(other.family)") socket, \(held)" }
        return "socket \(inode), \(held)"
    }
}

/// Whose sockets are meant.
public struct IsolationScope: Hashable, Sendable, Codable {
    /// The groups of the session, Quell's quarantine groups included, in any hierarchy.
    public let groups: [CgroupPin]
    /// Processes besides those that stand in the groups.
    public let processes: [ProcessPin]
    /// The groups that members were moved out of: what they made there is cut by no drop on the groups.
    public let origins: [CgroupPin]

    /// Takes all parts.
    public init(groups: [CgroupPin], processes: [ProcessPin] = [], from origins: [CgroupPin] = []) {
        self.groups = groups
        self.processes = processes
        self.origins = origins
    }
}
