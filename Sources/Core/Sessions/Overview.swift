public import Base
public import Kernel

/// What runs here that looks like an agent, for `quell` without arguments. It points and counts; a session is resolved
/// and pinned anew by the command that acts.
public struct Overview: Hashable, Sendable, Codable {
    /// One line for each group of processes with an agent at its head; most bytes sent first, then by pid.
    public let agents: [OverviewEntry]
    /// What could not be read, each once.
    public let failures: [Failure]
}

/// One agent with everything below it.
public struct OverviewEntry: Hashable, Sendable, Codable {
    /// The first process.
    public let leader: ProcessPin
    /// Which agent it looks like: a name of Quell's own list or of the inventory, `agent` when only a transcript tells.
    public let kind: String
    /// Why, each sign once.
    public let signs: [AgentSign]
    /// The leader's name as the kernel has it; the process chose it.
    public let name: BytePath
    /// The leader's real user; `nil` when it could not be read.
    public let uid: UInt32?
    /// When the leader began.
    public let started: Instant
    /// Where the leader stands: the unified hierarchy and the v1 freezer.
    public let cgroups: [CgroupLine]
    /// How many processes belong to it.
    public let processes: Int
    /// How many connections they hold open.
    public let connections: Int
    /// Bytes sent over the TCP connections that are open now. What went over closed ones, or over UDP, is not in it.
    public let bytesSent: UInt64
    /// Bytes received over them.
    public let bytesReceived: UInt64
    /// The other ends, most bytes sent first.
    public let peers: [OverviewPeer]

    /// The next thing to do, safe to paste: it holds nothing but words of Quell's and a number (RT14).
    public var nextCommand: String { "quell freeze \(leader.pid)" }
}

/// One other end of an agent's connections.
public struct OverviewPeer: Hashable, Sendable, Codable {
    /// Address and port.
    public let endpoint: Endpoint
    /// How many connections go there.
    public let connections: Int
    /// Bytes sent there over connections that are open now.
    public let bytesSent: UInt64
}

/// What the overview knows of one process.
public struct OverviewProcess: Hashable, Sendable {
    /// Process id and start time.
    public var pin: ProcessPin
    /// The parent's pid.
    public var parent: Int32
    /// The name as the kernel has it.
    public var name: BytePath
    /// When it began.
    public var started: Instant
    /// The real user.
    public var uid: UInt32?
    /// What it executes.
    public var executable: BytePath?
    /// Its arguments; `nil` when they could not be read in time.
    public var arguments: [BytePath]?
    /// Where it stands, in all hierarchies.
    public var cgroups: [CgroupLine]
    /// The link texts of its descriptors.
    public var links: [BytePath]
    /// The sockets in its descriptor table, and in those of threads that have one of their own.
    public var sockets: Set<UInt64>
    /// The setsid(2) session that it is in.
    public var session: Int32
    /// What it has in RAM, in bytes.
    public var residentBytes: UInt64

    /// Takes all parts.
    public init(
        pin: ProcessPin,
        parent: Int32,
        name: BytePath,
        started: Instant,
        uid: UInt32? = nil,
        executable: BytePath? = nil,
        arguments: [BytePath]? = nil,
        cgroups: [CgroupLine] = [],
        links: [BytePath] = [],
        session: Int32? = nil,
        residentBytes: UInt64 = 0
    ) {
        self.pin = pin
        self.parent = parent
        self.name = name
        self.started = started
        self.uid = uid
        self.executable = executable
        self.arguments = arguments
        self.cgroups = cgroups
        self.links = links
        sockets = Set(links.compactMap(\.socketInode))
        self.session = session ?? pin.pid
        self.residentBytes = residentBytes
    }

    /// What its executable, arguments and open files tell.
    var signs: [AgentSign] {
        var found: [AgentSign] = []
        if let executable, let agent = KnownAgent.named(by: executable) { found.append(.executable(agent)) }
        if let arguments, let agent = KnownAgent.named(byArguments: arguments) { found.append(.argument(agent)) }
        for link in links where KnownAgent.isTranscript(link) { found.append(.transcript(link)) }
        return found
    }
}
