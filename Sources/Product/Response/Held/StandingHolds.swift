public import Base
public import Casework
import Containment
public import Kernel

/// What Quell holds of the sessions of a case now, asked from the world: what nobody takes back any more when the case is
/// closed. A group without anybody in it holds nobody.
public struct StandingHolds: Sendable {
    /// A line for each; may hold hostile names, escaped.
    public let lines: [String]
    /// The command that takes the first of them back, made of ids only (RT14); `nil` when nothing is held.
    public let next: String?

    /// Looks. Changes nothing. After a restart of the machine, and on another one, nothing is held.
    ///
    /// - Throws: `malformed` when the journal is not of Quell's form, or why the kernel cannot be asked.
    public init(in home: Case, on host: Host) throws(Failure) {
        var lines: [String] = []
        var next: String?
        for pin in try home.subjects() where pin.bootID == host.bootID {
            let held = try HeldSession(of: pin, in: home, on: host)
            for effect in held.effects {
                guard let line = try StandingHolds.line(for: effect, on: host), !lines.contains(line) else { continue }
                lines.append(line)
                next = next ?? pin.hint(StandingHolds.verb(against: effect), in: home.id)
            }
        }
        self.lines = lines
        self.next = next
    }

    private static func verb(against effect: ContainmentEffect) -> String {
        switch effect {
        case .attachDrop, .addTable, .holdCarrier: "release"
        default: "thaw"
        }
    }

    private static func line(for effect: ContainmentEffect, on host: Host) throws(Failure) -> String? {
        switch effect {
        case .freeze(_, requestedBefore: true), .makeGroup, .move, .moveThread: return nil
        case .freeze(let group, _):
            guard try isPopulated(group, on: host), try stands(effect, on: host) else { return nil }
            return "\(group.hierarchy) \(group.path) is frozen"
        case .attachDrop(let group, _):
            guard try isPopulated(group, on: host), try stands(effect, on: host) else { return nil }
            return "the network of \(group.path) is dropped"
        case .signal(let process, _):
            return try stands(effect, on: host) ? "process \(process.pid) is stopped" : nil
        case .addTable(let table):
            return try stands(effect, on: host) ? "the table \(table.name) of nftables stands" : nil
        default:
            guard effect.inverse != nil, try stands(effect, on: host) else { return nil }
            return effect.summary
        }
    }

    private static func stands(_ effect: ContainmentEffect, on host: Host) throws(Failure) -> Bool {
        let state = try effect.probe(on: host)
        return state == .done || state == .partly
    }

    /// Whether anybody stands in the group; one that is gone holds nobody.
    static func isPopulated(_ pin: CgroupPin, on host: Host) throws(Failure) -> Bool {
        do throws(Failure) {
            return try FreezerControl(Cgroup(pin, on: host)).isPopulated()
        } catch {
            guard error.code == .notFound || error.code == .changed else { throw error }
            return false
        }
    }
}
