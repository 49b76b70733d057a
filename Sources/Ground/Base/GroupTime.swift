/// The CPU time that a cgroup and all below it had used at some moment.
public struct GroupTime: Hashable, Sendable, Codable {
    /// Which group.
    public let group: CgroupPin
    /// `usage_usec` of cpu.stat: microseconds on all processors together.
    public let microseconds: UInt64

    /// Takes both parts.
    public init(group: CgroupPin, microseconds: UInt64) {
        self.group = group
        self.microseconds = microseconds
    }
}
