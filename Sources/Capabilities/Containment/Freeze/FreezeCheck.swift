public import Base
public import Kernel

/// Whether a freeze still stands: the same questions again, from the world (RT28). Reads only.
public struct FreezeCheck: Hashable, Sendable, Codable {
    /// Whether every group is frozen, nobody got out and nothing ran.
    public var stands = true
    /// Groups that are not frozen any more, or are gone.
    public var thawed: [CgroupPin] = []
    /// Members of then that live and stand outside the frozen groups now.
    public var movedOut: [ProcessPin] = []
    /// Processes inside now that were not members then, such as those that a runtime's exec planted.
    public var joined: [ProcessPin] = []
    /// By how many microseconds the CPU time of the first group grew since the freeze: more than 0 means that something
    /// in it ran (RT28). `nil` when the kernel does not tell, as in v1, or when the group is gone.
    public var usedMicroseconds: UInt64?
    /// Processes inside the frozen groups now.
    public var processes = 0

    /// Asks again about what `result` says was frozen. Groups and processes that are gone are told and no error.
    ///
    /// - Throws: why anything else could not be looked at.
    public init(of result: FreezeResult, on host: Host) throws(Failure) {
        var inside: Set<Int32> = []
        var groups: [Cgroup] = []
        for frozen in result.groups {
            do throws(Failure) {
                let group = try Cgroup(frozen.group, on: host)
                let proof = try ThreadProof(covered: result.coveredGroups, on: host)
                if try !proof.isFrozen(group) { thawed.append(frozen.group) }
                inside.formUnion(try group.treeMembers().flatMap(\.pids))
                groups.append(group)
                if frozen.group == result.groups.first?.group, let before = result.cpuMicroseconds {
                    usedMicroseconds = try group.cpuMicroseconds().map { $0 > before ? $0 - before : 0 }
                }
            } catch {
                guard error.code == .notFound || error.code == .changed else { throw error }
                thawed.append(frozen.group)
            }
        }
        inside = try Headless(in: groups, on: host).correct(inside)
        let scanner = ProcessScanner(host)
        for member in result.members where !inside.contains(member.pid) {
            if let stat = scanner.namedStat(of: member.pid), stat.pin == member, !stat.numbers.isDead {
                movedOut.append(member)
            }
        }
        let known = Set(result.members)
        for pid in inside.sorted() {
            guard let stat = scanner.namedStat(of: pid) else { continue }
            processes += 1
            if !known.contains(stat.pin) { joined.append(stat.pin) }
        }
        stands = thawed.isEmpty && movedOut.isEmpty && (usedMicroseconds ?? 0) == 0
    }
}
