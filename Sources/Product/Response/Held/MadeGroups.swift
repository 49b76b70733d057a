import Base
import Containment
import Kernel

/// The groups that Quell made for a session. Those that an intent names by inode are known for sure; one of which the
/// journal knows only the random name was made right before a crash, and nothing was ever done in it.
struct MadeGroups: Sendable {
    /// A group of which only the name is known.
    struct Named: Hashable, Sendable {
        let hierarchy: String
        let name: String
    }

    /// Those for strays: they were to be frozen.
    private(set) var quarantines: [CgroupPin] = []
    /// Those for guests.
    private(set) var asides: [CgroupPin] = []
    /// Those of which only the name is known.
    private(set) var named: [Named] = []
    /// Those for supervisors of which only the name is known.
    private(set) var namedHolds: [Named] = []

    /// `intents` are all effects that were ever intended, `standing` those that were done and not taken back.
    init(_ intents: [ContainmentEffect], standing: [ContainmentEffect]) {
        var open: [Named] = []
        for case .makeGroup(let hierarchy, let name) in standing {
            open.append(Named(hierarchy: hierarchy, name: name))
        }
        func isOpen(_ pin: CgroupPin) -> Bool {
            open.contains { $0.hierarchy == pin.hierarchy && BytePath("/" + $0.name) == pin.path }
        }
        var entered: [CgroupPin] = []
        for effect in intents {
            switch effect {
            case .freeze(let group, _), .attachDrop(let group, _):
                if isOpen(group), !quarantines.contains(group) { quarantines.append(group) }
            case .move(_, _, let group): if isOpen(group), !entered.contains(group) { entered.append(group) }
            default: continue
            }
        }
        var used: [CgroupPin] = []
        for case .hold(_, _, let group) in intents { used.append(group) }
        for case .holdCarrier(_, _, let group) in intents { used.append(group) }
        for case .makeHold(let hierarchy, let name) in standing
        where !used.contains(where: { $0.hierarchy == hierarchy && $0.path == BytePath("/" + name) }) {
            namedHolds.append(Named(hierarchy: hierarchy, name: name))
        }
        asides = entered.filter { !quarantines.contains($0) }
        let known = quarantines + asides
        named = open.filter { one in
            !known.contains { $0.hierarchy == one.hierarchy && $0.path == BytePath("/" + one.name) }
        }
    }

    /// The pins of the groups of which only the name is known, as far as the kernel shows that they are what was made: at
    /// the root of the hierarchy, root's own, with nobody and nothing in it. The 64 random bits of the name were in the
    /// journal before the group was. Anything else is left alone (RT34).
    func found(on host: Host) throws(Failure) -> [CgroupPin] { try MadeGroups.unused(named, on: host) }

    /// The same for groups that were made for supervisors.
    func emptyHolds(on host: Host) throws(Failure) -> [CgroupPin] { try MadeGroups.unused(namedHolds, on: host) }

    private static func unused(_ named: [Named], on host: Host) throws(Failure) -> [CgroupPin] {
        var pins: [CgroupPin] = []
        for one in named {
            guard let hierarchy = host.hierarchy(named: one.hierarchy) else { continue }
            do throws(Failure) {
                let group = try Cgroup(BytePath("/" + one.name), in: hierarchy)
                guard try group.owner() == 0, try group.isUnused() else { continue }
                pins.append(group.pin)
            } catch {
                guard error.code == .notFound || error.code == .changed else { throw error }
            }
        }
        return pins
    }
}
