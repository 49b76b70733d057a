import Base
import Kernel

/// What one look at a process told: only what may be read before a freeze (RT7).
struct Relative {
    let pin: ProcessPin
    let parent: Int32
    let session: Int32
    let state: UInt8
    let threads: Int32
    let isKernelThread: Bool
    let name: BytePath

    init(_ stat: ProcessStat) {
        pin = stat.pin
        parent = stat.numbers.parent
        session = stat.numbers.session
        state = stat.numbers.state
        threads = stat.numbers.threads
        isKernelThread = stat.numbers.isKernelThread
        name = stat.name
    }

    init(pin: ProcessPin, parent: Int32, session: Int32, name: BytePath = BytePath("x")) {
        self.pin = pin
        self.parent = parent
        self.session = session
        state = UInt8(ascii: "S")
        threads = 1
        isKernelThread = false
        self.name = name
    }
}

/// Decides how processes are related to a leader. Pure: it is given a table and two facts that it asks for one process
/// at a time, because they cost a read each.
struct Family {
    let relatives: [Int32: Relative]

    /// The oldest process of the table without a parent in it; `excluded` (Quell's own ancestors, whom somebody may have
    /// moved in) are never leaders.
    func leader(excluding excluded: Set<Int32>) -> Relative? {
        relatives.values
            .filter { relatives[$0.parent] == nil && !excluded.contains($0.pin.pid) && !$0.isKernelThread }
            .min { ($0.pin.startTicks, $0.pin.pid) < ($1.pin.startTicks, $1.pin.pid) }
    }

    /// Everybody who descends from the leader by living parents, or who stands in a setsid(2) session that one of them
    /// leads. Such a session is only ever inherited, and its number is not reused while anybody is in it.
    func descendants(of leader: Relative) -> [Int32: Lineage] {
        var found: [Int32: Lineage] = [leader.pin.pid: .leader]
        let children = Dictionary(grouping: relatives.values, by: \.parent)
        let sessions = Dictionary(grouping: relatives.values, by: \.session)
        var waiting = [leader]
        while let parent = waiting.popLast() {
            for child in children[parent.pin.pid] ?? [] where isYounger(child, than: parent) {
                if found.updateIfAbsent(child.pin.pid, .descendant) { waiting.append(child) }
            }
            for child in sessions[parent.pin.pid] ?? [] where isYounger(child, than: parent) {
                if found.updateIfAbsent(child.pin.pid, .sessionOfMember) { waiting.append(child) }
            }
        }
        return found
    }

    /// The parents to whom the kernel gives orphans of the session: init, every ancestor of the leader above its parent,
    /// and the leader's parent when it was seen to have got one.
    func reapers(above leader: Relative, ancestors: [Int32], known: [Int32: Lineage]) -> Set<Int32> {
        var reapers = Set(ancestors.dropFirst())
        reapers.insert(1)
        guard let parent = ancestors.first else { return reapers }
        let hasAdopted = known.contains { pid, lineage in
            lineage == .sessionOfMember && relatives[pid]?.parent == parent
        }
        if hasAdopted { reapers.insert(parent) }
        return reapers
    }

    /// Those of `candidates` (who stand in a cgroup of the session) whose parents are gone and who can only be told by
    /// age and uid, with everybody who descends from them.
    func orphans(
        among candidates: Set<Int32>,
        of leader: Relative,
        reapers: Set<Int32>,
        hasUID: (Relative) -> Bool
    ) -> [Int32: Lineage] {
        var found: [Int32: Lineage] = [:]
        for pid in candidates.sorted() where found[pid] == nil {
            guard let orphan = relatives[pid], reapers.contains(orphan.parent), isYounger(orphan, than: leader),
                !orphan.isKernelThread, hasUID(orphan)
            else { continue }
            found[pid] = .orphan
            for (descendant, lineage) in descendants(of: orphan) where descendant != pid { found[descendant] = lineage }
        }
        return found
    }

    private func isYounger(_ child: Relative, than parent: Relative) -> Bool {
        child.pin.startTicks >= parent.pin.startTicks && child.pin.pid != parent.pin.pid
    }
}

extension [Int32: Lineage] {
    fileprivate mutating func updateIfAbsent(_ pid: Int32, _ lineage: Lineage) -> Bool {
        guard self[pid] == nil else { return false }
        self[pid] = lineage
        return true
    }
}
