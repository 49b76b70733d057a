public import Base
public import Kernel

extension Overview {
    /// Groups processes by the agent at their head and adds up their connections. Pure.
    public init(
        of processes: [OverviewProcess],
        sockets: [InetSocket],
        inventory: Inventory = .empty,
        failures: [Failure] = []
    ) {
        let grouping = OverviewGrouping(processes, inventory)
        let byInode = Dictionary(sockets.map { ($0.inode, $0) }) { first, _ in first }
        let entries = grouping.groups.map { OverviewEntry($0, sockets: byInode) }
        agents = entries.sorted { ($1.bytesSent, $0.leader.pid) < ($0.bytesSent, $1.leader.pid) }
        self.failures = failures
    }
}

/// Finds the heads and who belongs to them.
struct OverviewGrouping {
    /// A head, the signs of everyone in its group, and everyone.
    struct Group {
        let leader: OverviewProcess
        let signs: [AgentSign]
        let members: [OverviewProcess]
    }

    private(set) var groups: [Group] = []

    private let processes: [Int32: OverviewProcess]
    private var signs: [Int32: [AgentSign]] = [:]
    /// The head of those whose group is known without looking at their parents.
    private var heads: [Int32: Int32] = [:]

    init(_ all: [OverviewProcess], _ inventory: Inventory) {
        processes = Dictionary(all.map { ($0.pin.pid, $0) }) { first, _ in first }
        for process in all {
            let found = process.signs
            if !found.isEmpty { signs[process.pin.pid] = found }
        }
        for agent in inventory.agents { declare(agent, all) }
        for pid in signs.keys.sorted() { heads[pid] = head(above: pid) }
        collect(all)
    }

    /// The processes of a declared agent: its cgroup's, or its pid's; the oldest is the head.
    private mutating func declare(_ agent: AgentRecord, _ all: [OverviewProcess]) {
        let own: [OverviewProcess]
        switch agent.locator {
        case .cgroup(let path) where path.components.isEmpty: own = []
        case .cgroup(let path): own = all.filter { $0.stands(atOrBelow: path) }
        case .pid(let pid): own = all.filter { $0.pin.pid == pid }
        // Which processes a container has is asked when it is resolved; its cgroup shows them here as well.
        case .agent, .name, .podman, .docker, .oci, .lxc, .nspawn, .runsc, .qmp, .unit, .path: own = []
        }
        let oldest = own.min { ($0.pin.startTicks, $0.pin.pid) < ($1.pin.startTicks, $1.pin.pid) }
        guard let oldest else { return }
        signs[oldest.pin.pid, default: []].insert(.declared(agent.name), at: 0)
        for process in own where heads[process.pin.pid] == nil { heads[process.pin.pid] = oldest.pin.pid }
    }

    /// The head of a process with signs: the nearest declared group at or above it, else the topmost process with signs.
    private func head(above pid: Int32) -> Int32 {
        var topmost = pid
        for ancestor in [pid] + ancestors(of: pid) {
            if let head = heads[ancestor], isDeclared(head) { return head }
            if signs[ancestor] != nil { topmost = ancestor }
        }
        return topmost
    }

    private func isDeclared(_ pid: Int32) -> Bool {
        signs[pid]?.contains { if case .declared = $0 { true } else { false } } ?? false
    }

    private func ancestors(of pid: Int32) -> [Int32] {
        var found: [Int32] = []
        var next = processes[pid]?.parent ?? 0
        // Read at different moments, parents may seem to go in a circle.
        while next > 0, found.count < 1024, let parent = processes[next] {
            found.append(next)
            next = parent.parent
        }
        return found
    }

    private mutating func collect(_ all: [OverviewProcess]) {
        var members: [Int32: [OverviewProcess]] = [:]
        for process in all {
            let pid = process.pin.pid
            let nearest = ([pid] + ancestors(of: pid)).first { heads[$0] != nil }
            let known = nearest.flatMap { heads[$0] }
            if let known { members[known, default: []].append(process) }
        }
        let signs = signs
        groups = members.compactMap { head, members -> Group? in
            guard let leader = processes[head] else { return nil }
            let ordered = members.sorted { $0.pin.pid == head || ($1.pin.pid != head && $0.pin.pid < $1.pin.pid) }
            var seen: Set<AgentSign> = []
            let told = ordered.flatMap { signs[$0.pin.pid] ?? [] }.filter { seen.insert($0).inserted }
            return Group(leader: leader, signs: told, members: ordered)
        }
    }
}

extension OverviewProcess {
    fileprivate func stands(atOrBelow path: BytePath) -> Bool {
        cgroups.contains { $0.isFreezable && $0.path.isAtOrBelow(path) }
    }
}

extension CgroupLine {
    /// Whether it is of a hierarchy that Quell freezes in.
    var isFreezable: Bool { hierarchy == "v2" || controllers.contains("freezer") }
}

extension OverviewEntry {
    fileprivate init(_ group: OverviewGrouping.Group, sockets: [UInt64: InetSocket]) {
        let traffic = Traffic(of: group.members, over: sockets)
        leader = group.leader.pin
        kind = Self.kind(group.signs)
        signs = group.signs
        name = group.leader.name
        uid = group.leader.uid
        started = group.leader.started
        cgroups = group.leader.cgroups.filter(\.isFreezable)
        processes = group.members.count
        connections = traffic.connections
        bytesSent = traffic.bytesSent
        bytesReceived = traffic.bytesReceived
        peers = traffic.peers
    }

    static func kind(_ signs: [AgentSign]) -> String {
        for sign in signs {
            switch sign {
            case .declared(let name), .executable(let name), .argument(let name): return name
            case .transcript: continue
            }
        }
        return "agent"
    }
}
