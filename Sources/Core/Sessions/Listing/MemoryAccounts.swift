internal import Base
internal import Kernel

/// Finds who counts the memory of a session: a cgroup's controller when the session has that cgroup for itself, else its
/// processes one by one.
struct MemoryAccounts {
    private let hierarchies: [CgroupHierarchy]

    init(_ host: Host) { hierarchies = [host.unified, host.memoryHierarchy()].compactMap { $0 } }

    /// The memory of `members`; `all` are the processes of the machine.
    func use(of members: [OverviewProcess], among all: [OverviewProcess]) -> MemoryUse {
        for hierarchy in hierarchies {
            guard let path = MemoryAccounts.ownPath(of: members, among: all, in: hierarchy.name) else { continue }
            do throws(Failure) {
                if let use = try Cgroup(path, in: hierarchy).memoryUse() { return use }
            } catch {
                // It is gone, or not to be read: the next source counts.
                continue
            }
        }
        return MemoryUse(bytes: members.reduce(0) { $0 &+ $1.residentBytes }, source: .resident)
    }

    /// The lowest cgroup with all members in it and below it, when nobody else stands there; never the root.
    static func ownPath(
        of members: [OverviewProcess],
        among all: [OverviewProcess],
        in hierarchy: String
    ) -> BytePath? {
        var common: [BytePath]?
        for member in members {
            guard let path = member.path(in: hierarchy) else { return nil }
            let components = path.components
            common = common.map { zip($0, components).prefix { $0 == $1 }.map { $0.0 } } ?? components
        }
        guard let common, !common.isEmpty else { return nil }
        let path = BytePath([UInt8(ascii: "/")] + common.map(\.bytes).joined(separator: [47]))
        let own = Set(members.map(\.pin))
        let isShared = all.contains { process in
            !own.contains(process.pin) && (process.path(in: hierarchy).map { $0.isAtOrBelow(path) } ?? false)
        }
        return isShared ? nil : path
    }
}

extension OverviewProcess {
    /// Where it stands in the unified hierarchy, or in the v1 one with the controller.
    fileprivate func path(in hierarchy: String) -> BytePath? {
        cgroups.first { line in
            line.hierarchy == hierarchy || hierarchy.hasPrefix("v1:") && line.controllers.contains("memory")
        }?.path
    }
}
