public import Base
public import Kernel

/// The sessions of this machine, for people who have to find the one that is meant. A list points and counts; a session
/// is resolved and pinned anew by the command that acts.
public struct SessionList: Hashable, Sendable, Codable {
    /// Agents first, then by bytes sent, then by pid.
    public let sessions: [ListedSession]
    /// Containers that have ended and of which files are left: the last that ended first. None when something was asked
    /// for that only running sessions have.
    public let dead: [DeadSession]
    /// Processes that look like no agent and have no cgroup of their own, and were not asked for.
    public let plainProcesses: Int
    /// What could not be read, each once.
    public let failures: [Failure]
}

/// One session.
public struct ListedSession: Hashable, Sendable, Codable {
    /// The first process.
    public let leader: ProcessPin
    /// The leader's name as the kernel has it; the process chose it.
    public let name: BytePath
    /// What runs it.
    public let runtime: SessionRuntime
    /// Which agent it looks like; `nil` when it looks like none.
    public let agent: String?
    /// The name under which the inventory declares it.
    public let declared: String?
    /// The leader's real user; `nil` when it could not be read.
    public let uid: UInt32?
    /// When the leader began.
    public let started: Instant
    /// Where the leader stands: the unified hierarchy and the v1 freezer.
    public let cgroups: [CgroupLine]
    /// How many processes belong to it.
    public let processes: Int
    /// What it has in memory, and who says so.
    public let memory: MemoryUse
    /// How many connections its processes hold open.
    public let connections: Int
    /// Bytes sent over the TCP connections that are open now. What went over closed ones, or over UDP, is not in it.
    public let bytesSent: UInt64
    /// Bytes received over them.
    public let bytesReceived: UInt64
    /// The other ends, most bytes sent first.
    public let peers: [OverviewPeer]
    /// What in it answers the question that was asked; empty when none was.
    public let matches: [SessionMatch]

    /// The locator to paste: the name that the inventory gave it, else a number; never a name that the session chose
    /// (RT14).
    public var locator: Locator { declared.map { .agent($0) } ?? .pid(leader.pid) }
}

/// One connection or one file that was asked for, and who has it.
public struct SessionMatch: Hashable, Sendable, Codable {
    /// The process.
    public let process: ProcessPin
    /// Its name as the kernel has it; the process chose it.
    public let name: BytePath
    /// The connection, when that was asked for.
    public let connection: InetSocket?
    /// How it holds the file, when that was asked for.
    public let file: FileHolding?
}

/// What is asked of the list.
public struct SessionQuestion: Hashable, Sendable {
    /// Only sessions with a connection to it.
    public var peer: SoughtPeer?
    /// Only sessions that hold it.
    public var file: SoughtFile?
    /// Whether processes that look like no agent and have no cgroup of their own are listed, too.
    public var includesPlain: Bool
    /// Whether containers that have ended are listed, too; never those that only running sessions can answer for.
    public var includesDead: Bool

    /// Takes all parts.
    public init(
        peer: SoughtPeer? = nil,
        file: SoughtFile? = nil,
        includesPlain: Bool = false,
        includesDead: Bool = true
    ) {
        self.peer = peer
        self.file = file
        self.includesPlain = includesPlain
        self.includesDead = includesDead
    }

    /// Whether only those that match are wanted.
    public var isNarrow: Bool { peer != nil || file != nil }
}

extension SessionQuestion {
    /// Resolves a path, once, on a thread that is left behind when a filesystem of the session's does not answer.
    ///
    /// - Throws: `timedOut` then, `notFound` when not even its directory exists.
    public static func find(_ path: BytePath, on host: Host, by deadline: Deadline) throws(Failure) -> SoughtFile {
        let patience = Int32(clamping: deadline.remaining.components.seconds * 1000 / 4)
        let reading = ImpatientReading<Result<SoughtFile, Failure>>(patience: patience) { _ in
            do throws(Failure) { return .success(try SoughtFile(resolving: path, on: host)) } catch {
                return .failure(error)
            }
        }
        let asked = ProcessPin(pid: ProcessScanner.ownPid, startTicks: 0)
        guard let result = reading.read([asked], by: deadline)[asked] else {
            let text = String(decoding: path.bytes, as: UTF8.self)
            throw Failure(.timedOut, SoughtFile.finding, on: text, because: "its filesystem does not answer")
        }
        return try result.get()
    }
}
