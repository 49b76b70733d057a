public import Base

/// One agent session as a locator resolved to it, once (RT35): the pin is what is shown and used from then on.
public struct Session: Sendable {
    /// How it was named.
    public let locator: Locator
    /// What it is: boot id, cgroups, leader. The cgroups that the locator named are pinned even when guests stand in
    /// them; of others only those that are the session's own.
    public let pin: SessionPin
    /// Every cgroup that members stand in, in the unified hierarchy and in the v1 freezer, topmost ones only.
    public let cgroups: [SessionCgroup]
    /// The first process: the oldest member without a parent inside. `nil` for a cgroup without processes.
    public let leader: SessionMember?
    /// All members by pid, the leader included.
    public let members: [SessionMember]
    /// Processes inside a cgroup that was named but not of the session, by pid (RT11): to be spared, never killed.
    public let guests: [SessionMember]
    /// The real uid of the leader.
    public let owner: UInt32?
    /// What runs it.
    public let runtime: SessionRuntime.Kind
    /// The gVisor sandbox that it is, when it is one.
    public let sandbox: GVisorSandbox?
    /// What the inventory declares about it.
    public let agent: AgentRecord?
    /// What could not be read on the way; a process that ended meanwhile is no failure.
    public let failures: [Failure]

    /// Takes all parts.
    public init(
        locator: Locator,
        pin: SessionPin,
        cgroups: [SessionCgroup],
        leader: SessionMember?,
        members: [SessionMember],
        guests: [SessionMember],
        owner: UInt32?,
        runtime: SessionRuntime.Kind = .process,
        sandbox: GVisorSandbox? = nil,
        agent: AgentRecord? = nil,
        failures: [Failure] = []
    ) {
        self.locator = locator
        self.pin = pin
        self.cgroups = cgroups
        self.leader = leader
        self.members = members
        self.guests = guests
        self.owner = owner
        self.runtime = runtime
        self.sandbox = sandbox
        self.agent = agent
        self.failures = failures
    }

    /// Whether the session stands in cgroups of its own in that hierarchy (`v2`, `v1:freezer`) and nowhere else there:
    /// if so, freezing them stops it without moving a process.
    public func ownsItsCgroups(in hierarchy: String) -> Bool {
        let here = cgroups.filter { $0.pin.hierarchy == hierarchy }
        return !here.isEmpty && here.allSatisfy(\.isOwn)
    }
}

/// A cgroup that members of a session stand in.
public struct SessionCgroup: Hashable, Sendable, Codable {
    /// Which one.
    public let pin: CgroupPin
    /// Whether every process in it and below it is a member, DESIGN section 5. The root of a hierarchy never is.
    public let isOwn: Bool

    /// Takes both parts.
    public init(pin: CgroupPin, isOwn: Bool) {
        self.pin = pin
        self.isOwn = isOwn
    }
}

/// One process of a session, or a guest.
public struct SessionMember: Hashable, Sendable, Codable {
    /// Which one.
    public let pin: ProcessPin
    /// Its parent's pid when it was looked at.
    public let parent: Int32
    /// The name that it gave itself, hostile.
    public let name: BytePath
    /// The state letter of proc_pid_stat(5).
    public let state: UInt8
    /// Why it counts as what it is.
    public let lineage: Lineage

    /// Takes all parts.
    public init(pin: ProcessPin, parent: Int32, name: BytePath, state: UInt8, lineage: Lineage) {
        self.pin = pin
        self.parent = parent
        self.name = name
        self.state = state
        self.lineage = lineage
    }
}

/// How a process is related to the leader of a session.
public enum Lineage: String, Hashable, Sendable, Codable {
    /// It is the leader.
    case leader
    /// It descends from the leader by parents that are alive.
    case descendant
    /// It is in a session of setsid(2) whose first process is a member; such a session is only ever inherited.
    case sessionOfMember
    /// It shares the private pid namespace of the leader.
    case pidNamespace
    /// Its parent is gone: it was given to init or to a reaper above the leader, it stands in a cgroup of the session,
    /// began after the leader and has its uid.
    case orphan
    /// It is a gofer of the gVisor sandbox whose sentry is the leader.
    case sandbox
    /// None of these.
    case none

    /// Whether this makes a member.
    public var isMember: Bool { self != .none }
}
