public import Base
public import Kernel

/// Who is joined to a session from outside, and what others lose while it is frozen (RT23). Shown before a freeze and
/// after it; none of it changes the word of a freeze.
public struct Surroundings: Hashable, Sendable, Codable {
    /// Processes outside that are joined to it by pipe, FIFO, unix socket or a connection on this machine.
    public var peers: [SessionPeer] = []
    /// What it serves to others.
    public var services: [SessionService] = []
    /// The locks on files that it holds.
    public var locks: [SessionLock] = []
    /// What could not be looked at, in words for people.
    public var unknown: [String] = []

    /// Starts with nothing.
    public init() {}

    /// How many of each kind are kept; a session can make any number.
    static let most = 200

    mutating func bound() {
        func cut<Value>(_ values: inout [Value], _ what: String) {
            guard values.count > Surroundings.most else { return }
            unknown.append("\(values.count - Surroundings.most) more \(what) are not listed")
            values.removeLast(values.count - Surroundings.most)
        }
        cut(&peers, "peers")
        cut(&services, "services")
        cut(&locks, "locks")
    }
}

/// A process outside a session that is joined to it.
public struct SessionPeer: Hashable, Sendable, Codable {
    /// How it is joined.
    public enum Way: String, Hashable, Sendable, Codable {
        /// By an anonymous pipe of which it holds the other end.
        case pipe
        /// By a named FIFO that both have open, each at another end.
        case fifo
        /// By a unix socket.
        case unixSocket
        /// By a TCP connection on this machine.
        case loopback
    }
    /// What it is to the session.
    public enum Role: String, Hashable, Sendable, Codable {
        /// The session calls it: a tool server.
        case server
        /// It calls the session.
        case client
        /// Neither listens: the two share a pipe or a pair of sockets.
        case partner
    }
    /// One way in which it is joined.
    public struct Link: Hashable, Sendable, Codable {
        /// How.
        public let way: Way
        /// What the peer is by this way.
        public let role: Role
        /// The address or the path by which the server is called; `nil` where there is none.
        public let address: BytePath?

        /// Takes all parts.
        public init(_ way: Way, _ role: Role, at address: BytePath? = nil) {
            self.way = way
            self.role = role
            self.address = address
        }
    }

    /// Which process.
    public let process: ProcessPin
    /// Its name as bytes.
    public let name: BytePath
    /// How it is joined, each way once.
    public let links: [Link]
    /// How many others it serves beside the session: processes of this machine, and machines that are connected to it.
    public let otherClients: Int
    /// Whether the kernel says that it is frozen, in a group of Quell's.
    public var isHeld = false
    /// Why it is not held, when that was wanted.
    public var reason: String?

    /// Takes what was found; it is not held yet.
    public init(process: ProcessPin, name: BytePath, links: [Link], otherClients: Int) {
        self.process = process
        self.name = name
        self.links = links
        self.otherClients = otherClients
    }
}

/// Something that members of a session serve to others: these wait as long as it is frozen.
public struct SessionService: Hashable, Sendable, Codable {
    /// What kind.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// A listening TCP socket.
        case tcp
        /// A listening unix socket.
        case unixSocket
        /// A FUSE filesystem.
        case fuse
        /// Permissions of fanotify(7): every open on the marked files waits for it.
        case fanotify
        /// System calls of others, through seccomp_unotify(2).
        case seccompListener
        /// A block device, ublk or NBD.
        case blockDevice
        /// Pages of memory, through userfaultfd(2).
        case userfaultfd
    }

    /// What kind.
    public let kind: Kind
    /// Who serves it.
    public let process: ProcessPin
    /// The address or the path, where there is one.
    public let address: BytePath?
    /// How many outside the session are connected now; `nil` where the kernel does not tell.
    public let clients: Int?
    /// Those of them that are processes of this machine, at most eight.
    public let clientPids: [Int32]

    /// Takes all parts.
    public init(_ kind: Kind, by process: ProcessPin, at address: BytePath?, clients: Int?, clientPids: [Int32] = []) {
        self.kind = kind
        self.process = process
        self.address = address
        self.clients = clients
        self.clientPids = clientPids
    }
}

/// A lock on a file that a member of a session holds.
public struct SessionLock: Hashable, Sendable, Codable {
    /// Who holds it.
    public let process: ProcessPin
    /// What the kernel says of it.
    public let lock: FileLock
    /// The file as the kernel prints its path; `nil` where no descriptor of the holder leads to it.
    public let path: BytePath?

    /// Takes all parts.
    public init(process: ProcessPin, lock: FileLock, path: BytePath?) {
        self.process = process
        self.lock = lock
        self.path = path
    }
}
