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
    /// Whether the CPU time of the first v2 group grew since the freeze; `nil` when it is not known.
    public var usedCPU: Bool?
    /// Processes inside the frozen groups now.
    public var processes = 0

    /// Asks again about what `result` says was frozen.
    public init(of result: FreezeResult, on host: Host) throws(Failure) {
        var inside: Set<Int32> = []
        for frozen in result.groups {
            do throws(Failure) {
                let group = try Cgroup(frozen.group, on: host)
                let proof = try ThreadProof(covered: result.coveredGroups, on: host)
                if try !proof.isFrozen(group) { thawed.append(frozen.group) }
                inside.formUnion(try group.treeMembers().flatMap(\.pids))
            } catch {
                guard error.code == .notFound || error.code == .changed else { throw error }
                thawed.append(frozen.group)
            }
        }
        let scanner = ProcessScanner(host)
        for member in result.members where !inside.contains(member.pid) {
            if let stat = scanner.namedStat(of: member.pid), stat.pin == member, !stat.numbers.isZombie {
                movedOut.append(member)
            }
        }
        let known = Set(result.members)
        for pid in inside.sorted() {
            guard let stat = scanner.namedStat(of: pid) else { continue }
            processes += 1
            if !known.contains(stat.pin) { joined.append(stat.pin) }
        }
        if let before = result.cpuMicroseconds, let first = result.groups.first?.group, first.hierarchy == "v2" {
            usedCPU = (try? Cgroup(first, on: host).cpuMicroseconds()).flatMap { $0 }.map { $0 != before }
        }
        stands = thawed.isEmpty && movedOut.isEmpty
    }
}
