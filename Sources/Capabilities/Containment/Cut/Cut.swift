public import Base
public import Kernel

/// The reversible network drop: a BPF program on cgroups, both ways.
public enum Cut {
    /// Attaches a loaded program both ways; when the second direction fails the first is taken back.
    static func attach(_ program: DropProgram, to group: Cgroup) throws(Failure) {
        try program.attach(to: group, .egress)
        do throws(Failure) {
            try program.attach(to: group, .ingress)
        } catch {
            try DropProgram.detach(id: program.id, from: group, .egress)
            throw error
        }
    }

    /// Attaches the program unless a drop of ours is there already, from an earlier freeze or from one that was killed:
    /// a group never gets a second one.
    static func attachOnce(_ program: DropProgram, to group: Cgroup, _ apply: Apply) throws(Failure) -> Drop {
        let pin = group.pin
        guard let standing = try program.standing(on: group) else {
            try apply([.attachDrop(group: pin, program: program.id)]) { () throws(Failure) in
                try attach(program, to: group)
            }
            return Drop(group: pin, program: program.id)
        }
        if !standing.isWhole {
            try apply([.attachDrop(group: pin, program: standing.id)]) { () throws(Failure) in
                try complete(standing, on: group)
            }
        }
        return Drop(group: pin, program: standing.id)
    }

    /// Attaches a drop of ours in the directions that a crash left open.
    static func complete(_ standing: StandingDrop, on group: Cgroup) throws(Failure) {
        let program = try DropProgram(id: standing.id)
        for direction in PacketDirection.allCases where !standing.directions.contains(direction) {
            try program.attach(to: group, direction)
        }
    }

    /// Detaches exactly that program; a direction that is not attached is no error.
    static func detach(_ program: UInt32, from group: Cgroup) throws(Failure) {
        for direction in PacketDirection.allCases
        where try DropProgram.attached(to: group, direction).contains(program) {
            try DropProgram.detach(id: program, from: group, direction)
        }
    }

    /// In how many directions, 0 to 2, the program is attached.
    static func directions(of program: UInt32, on group: Cgroup) throws(Failure) -> Int {
        var count = 0
        for direction in PacketDirection.allCases
        where try DropProgram.attached(to: group, direction).contains(program) { count += 1 }
        return count
    }

    /// Cuts v2 groups that stand already, such as the session's own: one program, attached to each, one effect a group.
    /// A group that a drop of ours cuts already is left as it is and is in the result. A group that cannot be cut is told
    /// in the result; the others are cut all the same.
    ///
    /// `allowed` stays reachable. `earlier` are drops of ours that leave other things open: each is taken away after the
    /// new one stands, so that nothing passes meanwhile.
    public static func drop(
        _ groups: [CgroupPin],
        allowing allowed: AllowList = AllowList(),
        replacing earlier: [Drop] = [],
        on host: Host,
        apply: Apply
    ) throws(Failure) -> CutResult {
        var result = CutResult()
        let unified = groups.filter { $0.hierarchy == "v2" }
        for group in groups where group.hierarchy != "v2" {
            result.notReached.append("\(group.path): a \(group.hierarchy) group cannot be cut")
        }
        guard !unified.isEmpty else { return result }
        let program = try DropProgram(allowing: allowed)
        for pin in unified {
            result.add(pin, program, on: host, apply)
        }
        for drop in result.drops {
            for other in earlier where other.group == drop.group && other.program != drop.program {
                result.replace(other, on: host, apply)
            }
            if !allowed.isEmpty { result.tellStricter(than: drop, on: host) }
        }
        return result
    }

    /// Whether every drop of a result is still attached both ways. Reads only.
    public static func stands(_ result: CutResult, on host: Host) throws(Failure) -> Bool {
        for drop in result.drops {
            let effect = ContainmentEffect.attachDrop(group: drop.group, program: drop.program)
            guard try effect.probe(on: host) == .done else { return false }
        }
        return !result.drops.isEmpty
    }

    /// Takes our drops and tables away and leaves every other program and rule as it is; then lets who carries its networks
    /// go, of which `carriers` are the effects. A group that is gone took its drop with it, a network namespace that is
    /// gone its tables. What fails stops no other.
    public static func release(
        _ drops: [Drop],
        _ tables: [PacketTable] = [],
        carriers: [ContainmentEffect] = [],
        on host: Host,
        apply: Apply
    ) throws(Failure) -> ReleaseResult {
        var result = ReleaseResult()
        for table in tables {
            let effect = ContainmentEffect.removeTable(table)
            do throws(Failure) {
                guard try effect.probe(on: host) == .notDone else { continue }
                try apply([effect]) { () throws(Failure) in try effect.perform(on: host) }
                result.removed.append(table)
            } catch {
                result.failures.append(error)
            }
        }
        for drop in drops {
            let effect = ContainmentEffect.detachDrop(group: drop.group, program: drop.program)
            do throws(Failure) {
                let state = try effect.probe(on: host)
                guard state != .cannotTell else {
                    result.gone.append(drop)
                    continue
                }
                // What somebody else took away goes on record, too: then it stands no more for anybody who asks.
                try apply([effect]) { () throws(Failure) in try effect.perform(on: host) }
                if state == .done { result.gone.append(drop) } else { result.released.append(drop) }
            } catch {
                result.failures.append(error)
            }
        }
        result.carriers = try SupervisorHold.letGo(carriers, as: .carrier, on: host, apply: apply)
        return result
    }
}

/// One attached drop.
public struct Drop: Hashable, Sendable, Codable {
    /// The group.
    public let group: CgroupPin
    /// The id of our program.
    public let program: UInt32

    /// Takes both parts.
    public init(group: CgroupPin, program: UInt32) {
        self.group = group
        self.program = program
    }
}

/// What a cut reached.
public struct CutResult: Hashable, Sendable, Codable {
    /// The drops that stand.
    public var drops: [Drop] = []
    /// What no drop reaches, in words for people.
    public var notReached: [String] = []
    /// What failed.
    public var failures: [Failure] = []

    /// Starts with nothing cut.
    public init() {}

    /// Whether every group that was asked for is cut.
    public var isComplete: Bool { failures.isEmpty && notReached.isEmpty && !drops.isEmpty }

    mutating func replace(_ other: Drop, on host: Host, _ apply: Apply) {
        let effect = ContainmentEffect.detachDrop(group: other.group, program: other.program)
        do throws(Failure) {
            guard try effect.probe(on: host) != .done else { return }
            try apply([effect]) { () throws(Failure) in try effect.perform(on: host) }
        } catch {
            failures.append(error)
        }
    }

    /// A drop of which no record says that it is ours stays; then what is allowed stays cut, too.
    mutating func tellStricter(than drop: Drop, on host: Host) {
        do throws(Failure) {
            let group = try Cgroup(drop.group, on: host)
            guard let other = try DropProgram().standing(on: group), other.id != drop.program else { return }
            notReached.append("\(drop.group.path): a drop that allows nothing stands there, too; name its case")
        } catch {
            failures.append(error)
        }
    }

    mutating func add(
        _ pin: CgroupPin,
        _ program: DropProgram,
        on host: Host,
        _ apply: Apply
    ) {
        let group: Cgroup
        do throws(Failure) {
            group = try Cgroup(pin, on: host)
            if try group.owner() != 0 {
                notReached.append("\(pin.path): its owner is not root and could take the drop away")
            }
        } catch {
            failures.append(error)
            return
        }
        do throws(Failure) {
            drops.append(try Cut.attachOnce(program, to: group, apply))
        } catch {
            failures.append(error)
        }
    }
}

/// What a release did.
public struct ReleaseResult: Hashable, Sendable, Codable {
    /// Drops that were taken away.
    public var released: [Drop] = []
    /// Drops that were not there any more: their group is gone, or somebody else took them away.
    public var gone: [Drop] = []
    /// Tables that were taken away.
    public var removed: [PacketTable] = []
    /// Processes that carry its networks and were let go.
    public var carriers = LetGoResult()
    /// What failed, of drops and tables.
    public var failures: [Failure] = []

    /// Starts with nothing done.
    public init() {}

    /// Whether nothing of the cut is left.
    public var isComplete: Bool { failures.isEmpty && carriers.isComplete }
}
