public import Base
internal import Kernel
public import Sessions

/// Whether a session could be frozen, asked beforehand and without touching it.
public enum FreezeOutlook: Hashable, Sendable {
    /// It could.
    case freezable
    /// A cgroup of its own is frozen.
    case frozen
    /// It would be refused, or could not be done, for that reason.
    case no(Failure)

    /// Says what a freeze of the session that a locator means would say. Only stat, status and cgroup files are read.
    public static func of(_ locator: Locator, by resolver: SessionResolver) -> FreezeOutlook {
        do throws(Failure) {
            let session = try resolver.resolve(locator)
            var groups: [Cgroup] = []
            for pin in session.pin.cgroups { groups.append(try Cgroup(pin, on: resolver.host)) }
            try Refusals(policy: FreezePolicy()).check(groups, leader: session.pin.leader, on: resolver.host)
            // A session that stands in nobody's cgroups is moved into one of Quell's, or stopped by signals.
            for group in groups {
                if try FreezerControl(group).current() == .frozen { return .frozen }
            }
            return .freezable
        } catch {
            return .no(error)
        }
    }
}
