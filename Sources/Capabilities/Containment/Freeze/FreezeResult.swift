public import Base

/// Promise 1 in one word.
public enum FreezeWord: String, Sendable, Codable {
    /// The kernel says frozen for every thread of the session, and no stray by a strong mark is running.
    case confirmed
    /// Threads did not freeze in time; they are named.
    case unconfirmed
    /// Strays are running, or supervisors that are not held could bring the session back; they are named.
    case partial
    /// Nothing is held.
    case failed
}

/// What a freeze did and what is true after it.
public struct FreezeResult: Hashable, Sendable, Codable {
    /// The result in one word.
    public var word: FreezeWord = .failed
    /// How many processes are frozen; 0 for an empty group, which is said and is no proof of anything.
    public var processes = 0
    /// How many threads are frozen.
    public var threads = 0
    /// The session's own groups that were frozen.
    public var groups: [FrozenGroup] = []
    /// The groups of a v1 hierarchy that the session has beside frozen v2 groups; all their threads are held by these.
    public var coveredGroups: [CgroupPin] = []
    /// Quell's group for what stood elsewhere, when there was anything.
    public var quarantine: CgroupPin?
    /// Quell's group for guests, not frozen, when there was anything.
    public var aside: CgroupPin?
    /// The processes that are held, for comparing later.
    public var members: [ProcessPin] = []
    /// Processes outside that belong to the session by a strong mark.
    public var strays: [Stray] = []
    /// Processes outside with medium or weak marks only: a list, never a reason for the word (RT27).
    public var listed: [Stray] = []
    /// Processes inside that are not of the session (RT11).
    public var guests: [Guest] = []
    /// What could bring the session back (RT4).
    public var supervisors: [Supervisor] = []
    /// Who is joined to it, what it serves and which locks it holds, looked for after the proof; `nil` when that was not
    /// asked for. None of it changes the word.
    public var surroundings: Surroundings?
    /// Threads that did not freeze.
    public var stuck: [StuckThread] = []
    /// The network drop, when it was asked for.
    public var cut: CutResult?
    /// How many scans were made, and whether the last two agreed.
    public var scans = 0
    /// Whether two scans in a row agreed.
    public var scansAgreed = false
    /// Whether everything was done by SIGSTOP, without cgroups.
    public var bySignals = false
    /// CPU time that the first group had used when the freeze was concluded, in microseconds; equal later means that
    /// nothing ran. `nil` where the kernel does not tell, as in v1.
    public var cpuMicroseconds: UInt64?
    /// What only the sentry of a gVisor sandbox knows; `nil` for any other session.
    public var inside: SandboxInside?
    /// When things happened.
    public var times = FreezeTimes()
    /// The effects that were done, in order, for ``Thaw``.
    public var effects: [ContainmentEffect] = []
    /// What could not be done, beside what the word says.
    public var failures: [Failure] = []
    /// What a person should know.
    public var notes: [String] = []

    /// Starts with nothing done.
    public init() {}
}

/// One group that was frozen.
public struct FrozenGroup: Hashable, Sendable, Codable {
    /// Which one.
    public let group: CgroupPin
    /// Whether the kernel says frozen.
    public var isFrozen: Bool
    /// Whether somebody had asked for freezing before: then thaw leaves it.
    public let requestedBefore: Bool
    /// Processes in it and below.
    public var processes: Int
    /// Threads in it and below.
    public var threads: Int
    /// CPU time that it had used when the freeze was concluded, in microseconds; equal later means that nothing in it ran.
    /// `nil` where the kernel does not tell, as in v1.
    public var cpuMicroseconds: UInt64?

    /// Takes all parts but the time.
    public init(group: CgroupPin, isFrozen: Bool, requestedBefore: Bool, processes: Int, threads: Int) {
        self.group = group
        self.isFrozen = isFrozen
        self.requestedBefore = requestedBefore
        self.processes = processes
        self.threads = threads
    }
}

/// Moments of a freeze.
public struct FreezeTimes: Hashable, Sendable, Codable {
    /// When the work began.
    public var began = Instant.now()
    /// When the kernel had taken the request.
    public var requested: Instant?
    /// When the kernel said frozen for the session's own groups.
    public var frozen: Instant?
    /// When the drop was attached.
    public var cut: Instant?
    /// When two scans agreed.
    public var proven: Instant?
    /// The same in ticks since boot, as births of processes are counted: no clock that can be set.
    public var provenTicks: UInt64?
}

/// A process outside the session's groups.
public struct Stray: Hashable, Sendable, Codable {
    /// Which one.
    public let process: ProcessPin
    /// Its name as bytes.
    public let name: BytePath
    /// Why it is taken for one.
    public let marks: [Mark]
    /// Whether it is held now.
    public var isHeld: Bool
    /// Why not, when it is not.
    public var reason: String?

    /// Takes all parts.
    public init(process: ProcessPin, name: BytePath, marks: [Mark], isHeld: Bool, reason: String? = nil) {
        self.process = process
        self.name = name
        self.marks = marks
        self.isHeld = isHeld
        self.reason = reason
    }
}

/// A process inside the session's groups that is not of the session.
public struct Guest: Hashable, Sendable, Codable {
    /// Which one.
    public let process: ProcessPin
    /// Its name as bytes.
    public let name: BytePath
    /// Why it is taken for one.
    public let reason: String
    /// Whether it was moved aside and runs.
    public var isSpared: Bool
    /// Why it may be of the session after all; `nil` when there is no doubt. Who is in doubt and runs leaves nothing proven.
    public var doubt: String?
}

/// A thread that did not freeze in time.
public struct StuckThread: Hashable, Sendable, Codable {
    /// The process.
    public let pid: Int32
    /// The thread.
    public let thread: Int32
    /// The state letter of /proc/PID/task/TID/stat.
    public let state: String
    /// Where in the kernel it sleeps.
    public let waitChannel: String
    /// /proc/PID/task/TID/syscall.
    public let systemCall: String
}

/// Why a process is taken to be of the session.
public enum Mark: String, Sendable, Codable, CaseIterable {
    /// Its parents lead to the leader or to a member, by ppid or a subreaper.
    case lineage
    /// Its kernel session (setsid) was made by a member, and only a fork gives that.
    case kernelSession
    /// It is in a pid namespace of the session, or below one.
    case pidNamespace
    /// Another hierarchy still has it in the session's group.
    case hierarchy
    /// It runs as the user that the inventory calls this agent's own.
    case dedicatedUser
    /// A person named it.
    case included
    /// It shares a mount namespace that is not the host's.
    case mountNamespace
    /// It shares a network namespace that is not the host's.
    case networkNamespace
    /// Its parent is gone, it began after the leader and runs as the same user.
    case orphan

    /// How much a mark says.
    public enum Strength: String, Sendable, Codable { case weak, medium, strong }

    /// Strong marks cannot be shed or planted; only they act.
    public var strength: Strength {
        switch self {
        case .lineage, .kernelSession, .pidNamespace, .hierarchy, .dedicatedUser, .included: .strong
        case .mountNamespace, .networkNamespace: .medium
        case .orphan: .weak
        }
    }
}
