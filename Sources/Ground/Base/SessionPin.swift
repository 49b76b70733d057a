/// What a locator resolved to: shown once, then used (RT35). A pin names kernel objects by numbers that the session
/// cannot forge, so a reused pid or a cgroup made anew under the same name is another session.
///
/// It stands in Base because cases, plans and seals compare pins and none of them may know the kernel
/// (docs/decisions/0001).
public struct SessionPin: Hashable, Sendable, Codable {
    /// The kernel's boot id, /proc/sys/kernel/random/boot_id.
    public let bootID: String
    /// The session's own cgroups, one or more a hierarchy; empty for plain processes in somebody else's cgroup.
    public let cgroups: [CgroupPin]
    /// The first process, when there is one.
    public let leader: ProcessPin?

    /// Takes all parts.
    public init(bootID: String, cgroups: [CgroupPin], leader: ProcessPin?) {
        self.bootID = bootID
        self.cgroups = cgroups
        self.leader = leader
    }

    /// As Swift would, without a key type of its own (``JSONKey``).
    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: JSONKey.self)
        try members.encode(bootID, forKey: "bootID")
        try members.encode(cgroups, forKey: "cgroups")
        if let leader { try members.encode(leader, forKey: "leader") }
    }

    /// Whether both name the same session: same boot, and a common cgroup (hierarchy and inode) or the same leader.
    public func isSameSession(as other: SessionPin) -> Bool {
        guard bootID == other.bootID else { return false }
        if let leader, leader == other.leader { return true }
        return cgroups.contains { mine in
            other.cgroups.contains { $0.hierarchy == mine.hierarchy && $0.inode == mine.inode }
        }
    }
}

/// One cgroup directory, by hierarchy and inode.
public struct CgroupPin: Hashable, Sendable, Codable {
    /// `v2`, or `v1:` and the controllers as the second field of /proc/PID/cgroup has them, such as `v1:freezer`.
    public let hierarchy: String
    /// The path below the hierarchy's root, with a leading slash, at the time of resolving.
    public let path: BytePath
    /// The inode of the directory; unique as long as the machine is up.
    public let inode: UInt64

    /// Takes all parts.
    public init(hierarchy: String, path: BytePath, inode: UInt64) {
        self.hierarchy = hierarchy
        self.path = path
        self.inode = inode
    }

    /// As Swift would, without a key type of its own (``JSONKey``).
    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: JSONKey.self)
        try members.encode(hierarchy, forKey: "hierarchy")
        try members.encode(path, forKey: "path")
        try members.encode(inode, forKey: "inode")
    }
}

/// One process, by pid and start time.
public struct ProcessPin: Hashable, Sendable, Codable {
    /// The process id in the initial pid namespace.
    public let pid: Int32
    /// Clock ticks since boot, field 22 of /proc/PID/stat (proc_pid_stat(5)).
    public let startTicks: UInt64

    /// Takes both parts.
    public init(pid: Int32, startTicks: UInt64) {
        self.pid = pid
        self.startTicks = startTicks
    }

    /// As Swift would, without a key type of its own (``JSONKey``).
    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: JSONKey.self)
        try members.encode(pid, forKey: "pid")
        try members.encode(startTicks, forKey: "startTicks")
    }
}
