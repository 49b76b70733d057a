internal import Base
internal import Kernel

/// Sorts processes into sessions: a container is one; else an agent with everything below it, or the sandbox around it;
/// else a unit or a cgroup that somebody made; else a process with what it started and did not put into a setsid(2)
/// session of its own. Pure.
struct SessionSorting {
    /// One session.
    struct Group {
        var runtime: SessionRuntime
        var leader: OverviewProcess
        var signs: [AgentSign]
        var members: [OverviewProcess]
    }

    /// A container that its runtime's state names.
    struct KnownContainer: Hashable {
        let kind: SessionRuntime.Kind
        let id: BytePath
        /// The paths of its cgroups as the state has them, with or without the mount point in front.
        var cgroups: [BytePath] = []
    }

    private enum Key: Hashable {
        case cgroup(SessionRuntime)
        case process(Int32)
    }

    private(set) var groups: [Group] = []

    private let processes: [Int32: OverviewProcess]
    private let sandboxes: SandboxHeads
    private var places: [Int32: SessionRuntime] = [:]
    private var agents: [Int32: OverviewGrouping.Group] = [:]

    /// `containers` are those that runc and crun know, by their first process; `gvisor` the sandboxes of runsc.
    init(
        _ all: [OverviewProcess],
        _ inventory: Inventory,
        containers: [ProcessPin: KnownContainer] = [:],
        gvisor: [GVisorSandbox] = []
    ) {
        processes = Dictionary(all.map { ($0.pin.pid, $0) }) { first, _ in first }
        sandboxes = SandboxHeads(processes)
        for process in all { places[process.pin.pid] = SessionRuntime(of: process.cgroups) }
        joinNested()
        name(containers)
        nameGVisor(gvisor)
        nameMachines()
        for group in OverviewGrouping(all, inventory).groups {
            for member in group.members { agents[member.pin.pid] = group }
        }
        collect(all)
    }

    /// A cgroup below another one that holds processes belongs to it.
    private mutating func joinNested() {
        let made = Set(places.values.filter { $0.kind == .cgroup }.map(\.cgroup))
        for (pid, place) in places where place.kind == .cgroup {
            var path = place.cgroup.path
            while path != BytePath("/") {
                let line = CgroupLine(hierarchy: place.cgroup.hierarchy, path: path)
                if made.contains(line) { places[pid] = SessionRuntime(.cgroup, at: line) }
                path = path.parent
            }
        }
    }

    /// Everybody in the cgroup that the state names; where a user's runtime could make none, the first process and
    /// everything below it.
    private mutating func name(_ known: [ProcessPin: KnownContainer]) {
        for (pin, container) in known {
            guard processes[pin.pid]?.pin == pin, let place = places[pin.pid], !place.isContainer else { continue }
            let runtime = SessionRuntime(container.kind, name: container.id, at: place.cgroup)
            let isNamed = container.cgroups.contains { ContainerLookup.ends($0, with: place.cgroup.path) }
            let isOwn = isNamed && place.kind != .process
            for (pid, other) in places where isOwn ? other == place : isBelow([pin.pid], pid) { places[pid] = runtime }
        }
    }

    /// The sentry with everything below it, and the gofers, wherever they stand.
    private mutating func nameGVisor(_ sandboxes: [GVisorSandbox]) {
        for sandbox in sandboxes {
            guard let place = places[sandbox.sentry.pid] else { continue }
            let name = sandbox.containers.first.map { BytePath($0) } ?? BytePath("pid-\(sandbox.sentry.pid)")
            let runtime = SessionRuntime(.gvisor, name: name, at: place.cgroup)
            let parts = Set([sandbox.sentry.pid] + sandbox.gofers.map(\.pid))
            for pid in processes.keys where isBelow(parts, pid) { places[pid] = runtime }
        }
    }

    /// Processes that run QEMU, each a machine of its own wherever it stands.
    private mutating func nameMachines() {
        for (pid, process) in processes {
            guard let program = process.executable?.lastComponent.text,
                program.hasPrefix("qemu-system-") || program == "qemu-kvm", let place = places[pid], !place.isContainer
            else { continue }
            places[pid] = SessionRuntime(.qemu, name: BytePath("pid-\(pid)"), at: place.cgroup)
        }
    }

    private func isBelow(_ tops: Set<Int32>, _ pid: Int32) -> Bool {
        var current = pid
        for _ in 0..<64 {
            if tops.contains(current) { return true }
            guard let parent = processes[current]?.parent, parent > 1 else { return false }
            current = parent
        }
        return false
    }

    private mutating func collect(_ all: [OverviewProcess]) {
        var members: [Key: [OverviewProcess]] = [:]
        for process in all { members[key(of: process), default: []].append(process) }
        let holders = members.reduce(into: [SessionRuntime: Int]()) { count, entry in
            for place in Set(entry.value.compactMap { places[$0.pin.pid] }) { count[place, default: 0] += 1 }
        }
        for (key, members) in members {
            guard let leader = leader(of: key, among: members) else { continue }
            groups.append(
                Group(
                    runtime: runtime(of: key, leader, holders),
                    leader: leader,
                    signs: signs(of: members),
                    members: members.sorted { $0.pin.pid < $1.pin.pid }
                )
            )
        }
        groups.sort { $0.leader.pin.pid < $1.leader.pin.pid }
    }

    private func key(of process: OverviewProcess) -> Key {
        let pid = process.pin.pid
        if let place = places[pid], place.isContainer { return .cgroup(place) }
        let agent = agents[pid]?.leader.pin.pid
        if let sandbox = sandboxes.head(of: pid), !(agent.map { sandboxes.stands($0, atOrAbove: sandbox) } ?? false) {
            return .process(sandbox)
        }
        if let agent { return .process(agent) }
        if let place = places[pid], place.kind != .process { return .cgroup(place) }
        return .process(head(of: process).pin.pid)
    }

    /// The topmost process above that is in the same setsid session and has no better place.
    private func head(of process: OverviewProcess) -> OverviewProcess {
        var head = process
        // Read at different moments, parents may seem to go in a circle.
        for _ in 0..<1024 {
            guard let parent = processes[head.parent], parent.session == process.session, parent.pin.pid != 1,
                parent.pin.startTicks <= head.pin.startTicks, parent.pin != head.pin,
                agents[parent.pin.pid] == nil, sandboxes.kind(of: parent.pin.pid) == nil,
                places[parent.pin.pid]?.kind == .process
            else { break }
            head = parent
        }
        return head
    }

    private func leader(of key: Key, among members: [OverviewProcess]) -> OverviewProcess? {
        if case .process(let pid) = key, let leader = processes[pid] {
            // The head of an agent may stand in a container of its own, which is another session.
            if members.contains(where: { $0.pin == leader.pin }) { return leader }
        }
        let inside = Set(members.map(\.pin.pid))
        let tops = members.filter { !inside.contains($0.parent) }
        return (tops.isEmpty ? members : tops).min {
            ($0.pin.startTicks, $0.pin.pid) < ($1.pin.startTicks, $1.pin.pid)
        }
    }

    /// A cgroup is an agent's own when nobody else stands in it.
    private func runtime(
        of key: Key,
        _ leader: OverviewProcess,
        _ holders: [SessionRuntime: Int]
    ) -> SessionRuntime {
        switch key {
        case .cgroup(let place): return place
        case .process(let pid):
            let place = places[leader.pin.pid] ?? SessionRuntime(of: [])
            if let kind = sandboxes.kind(of: pid) { return SessionRuntime(kind, at: place.cgroup) }
            let isOwn = holders[place] == 1 && place.kind != .slice
            return isOwn && place.kind != .process ? place : SessionRuntime(.process, at: place.cgroup)
        }
    }

    private func signs(of members: [OverviewProcess]) -> [AgentSign] {
        let heads = Set(members.compactMap { agents[$0.pin.pid]?.leader.pin.pid }).sorted()
        var seen: Set<AgentSign> = []
        return heads.flatMap { agents[$0]?.signs ?? [] }.filter { seen.insert($0).inserted }
    }
}
