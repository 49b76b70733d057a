internal import Base

/// Who belongs to a session, decided from one scan alone: pure, so that every shape can be tested.
///
/// Inside the session's groups a process is of the session unless there is evidence that it is foreign, because a
/// session can cut its own lineage (double fork) but cannot invent a living parent outside itself. Outside, only strong
/// marks count.
struct Family {
    /// Inside and of the session.
    private(set) var members: [ScannedProcess] = []
    /// Outside and of the session, with the marks that say so.
    private(set) var strays: [(process: ScannedProcess, marks: Set<Mark>)] = []
    /// Inside and foreign, with the reason.
    private(set) var guests: [(process: ScannedProcess, reason: String)] = []

    /// What is known beside the scan.
    struct Knowledge {
        var leader: ProcessPin?
        /// Quell's own pid and its parents: never held.
        var responder: [Int32] = []
        /// Processes that were found to be of the session before; they stay so.
        var settled: Set<ProcessPin> = []
        /// Processes that run as the session's own user.
        var dedicated: Set<ProcessPin> = []
        /// Processes that a person named.
        var included: Set<ProcessPin> = []
        /// Processes that stood outside when a freeze was proven: who of them is inside now was moved in.
        var joined: Set<ProcessPin> = []

        /// Why a process that counts as foreign may be of the session after all; `nil` when there is no doubt. The leader
        /// is who began first, and whoever may write the group can move an older stranger in: then a living parent outside
        /// says nothing about those who came later.
        func doubt(about process: ProcessPin) -> String? {
            guard let leader, process.startTicks >= leader.startTicks, !responder.contains(process.pid),
                !joined.contains(process)
            else { return nil }
            return "it began after process \(leader.pid), which is taken for the first of the session"
        }
    }

    private let scan: Scan
    private let knowledge: Knowledge
    private let leaderAncestors: Set<Int32>
    private var marks: [MarkSet]

    init(_ scan: Scan, _ knowledge: Knowledge) {
        self.scan = scan
        self.knowledge = knowledge
        marks = Array(repeating: MarkSet(), count: scan.processes.count)
        leaderAncestors = knowledge.leader.map { Set(scan.ancestors(of: $0.pid)) } ?? []
        markKin()
        let reasons = scan.processes.indices.map { foreignReason($0) }
        markOthers(reasons)
        spread()
        sort(reasons)
    }

    private func isKin(_ index: Int) -> Bool { !marks[index].isEmpty }

    /// First round: what descends from the leader beyond doubt.
    private mutating func markKin() {
        for (index, process) in scan.processes.enumerated() {
            if process.pin == knowledge.leader { marks[index].insert(.lineage) }
            if knowledge.settled.contains(process.pin) { marks[index].insert(.lineage) }
            if let leader = knowledge.leader, process.session == leader.pid, process.startTicks >= leader.startTicks {
                marks[index].insert(.kernelSession)
            }
        }
        if let leader = knowledge.leader, let home = scan.find(leader)?.pidNamespace, home != 0 {
            for (index, process) in scan.processes.enumerated() where process.pidNamespace == home {
                marks[index].insert(.pidNamespace)
            }
        }
        spread()
    }

    /// Second round: what is inside or marked in another hierarchy and not foreign, and what people and inventory named.
    private mutating func markOthers(_ reasons: [String?]) {
        for (index, process) in scan.processes.enumerated() where !knowledge.responder.contains(process.pid) {
            if knowledge.included.contains(process.pin) { marks[index].insert(.included) }
            if knowledge.dedicated.contains(process.pin) { marks[index].insert(.dedicatedUser) }
            guard reasons[index] == nil, process.isMarked || process.isInside else { continue }
            marks[index].insert(.hierarchy)
        }
    }

    /// Hands marks on until nothing changes: to children, to kernel sessions that a marked process leads, and to pid
    /// namespaces whose first process is marked.
    private mutating func spread() {
        var changed = true
        while changed {
            changed = false
            let namespaces = ownedNamespaces()
            for (index, process) in scan.processes.enumerated() where !knowledge.responder.contains(process.pid) {
                if !marks[index].contains(.lineage), let parent = scan.index(of: process.parent), isKin(parent) {
                    marks[index].insert(.lineage)
                    changed = true
                }
                if !marks[index].contains(.kernelSession), process.session != process.pid,
                    let first = scan.index(of: process.session), isKin(first), scan.processes[first].leadsSession,
                    scan.processes[first].startTicks <= process.startTicks
                {
                    marks[index].insert(.kernelSession)
                    changed = true
                }
                if !marks[index].contains(.pidNamespace), namespaces.contains(process.pidNamespace) {
                    marks[index].insert(.pidNamespace)
                    changed = true
                }
            }
        }
    }

    /// Pid namespaces whose earliest process is kin. The first process of a namespace lives as long as the namespace, so
    /// a session that enters a stranger's namespace does not make it its own.
    private func ownedNamespaces() -> Set<UInt64> {
        var first: [UInt64: Int] = [:]
        for (index, process) in scan.processes.enumerated() where process.pidNamespace != 0 {
            if let other = first[process.pidNamespace],
                scan.processes[other].startTicks <= process.startTicks
            {
                continue
            }
            first[process.pidNamespace] = index
        }
        return Set(first.filter { isKin($0.value) }.keys)
    }

    /// Why a process that is no kin is foreign, or `nil` when there is no evidence.
    private func foreignReason(_ index: Int) -> String? {
        let process = scan.processes[index]
        if knowledge.responder.contains(process.pid) { return "it is the responder's own" }
        if isKin(index) { return nil }
        if knowledge.joined.contains(process.pin) { return "it joined after the freeze" }
        guard let leader = knowledge.leader else { return nil }
        if process.startTicks < leader.startTicks { return "it began before the session's first process" }
        var current = process
        for _ in 0..<4096 {
            // Orphans are adopted by the first process or by an ancestor of the leader: that is no evidence.
            guard current.parent > 1, !leaderAncestors.contains(current.parent),
                let parent = scan.index(of: current.parent)
            else { return nil }
            if isKin(parent) { return nil }
            if !scan.processes[parent].isInside { return "its parent \(current.parent) is foreign and alive" }
            let isGuest = knowledge.joined.contains(scan.processes[parent].pin)
            if isGuest || scan.processes[parent].startTicks < leader.startTicks {
                return "its parent \(current.parent) is a guest"
            }
            current = scan.processes[parent]
        }
        return nil
    }

    private mutating func sort(_ reasons: [String?]) {
        for (index, process) in scan.processes.enumerated() {
            if process.isInside, let reason = reasons[index], !marks[index].contains(.included) {
                guests.append((process, reason))
            } else if process.isInside {
                members.append(process)
            } else if isKin(index), !knowledge.responder.contains(process.pid), process.pid > 1 {
                strays.append((process, marks[index].set))
            }
        }
    }
}
