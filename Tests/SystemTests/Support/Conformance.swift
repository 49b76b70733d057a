import Base
import Containment
import Kernel
import Programs

/// What the conformance suites of runtimes share.
enum Conformance {
    /// A shell with a child that burns the CPU and one that sleeps: three processes.
    static let work = "(while :; do :; done) & sleep 1000 & wait"

    /// Acts without a record.
    static func apply(_ effects: [ContainmentEffect], _ act: () throws(Failure) -> Void) throws(Failure) { try act() }

    /// Whether a process uses the CPU.
    static func runs(_ pid: Int32, _ host: Host, within limit: Duration) -> Bool {
        let scanner = ProcessScanner(host)
        func ticks() -> UInt64? { scanner.stat(of: pid).map { $0.userTicks + $0.systemTicks } }
        guard let before = ticks() else { return false }
        return eventually(within: limit) { ticks().map { $0 > before } ?? false }
    }

    /// Whether a process has ended, reaped or not.
    static func hasEnded(_ pid: Int32, _ host: Host) -> Bool { ProcessScanner(host).stat(of: pid)?.isZombie ?? true }

    /// The pids of a process and of everybody below it.
    static func tree(of top: Int32, _ host: Host) -> [ProcessStat] {
        let scanner = ProcessScanner(host)
        let all = ((try? scanner.pids()) ?? []).compactMap { scanner.namedStat(of: $0) }
        var found = all.filter { $0.pid == top }
        var next = 0
        while next < found.count {
            found += all.filter { $0.numbers.parent == found[next].pid && !$0.numbers.isZombie }
            next += 1
        }
        return found
    }

    /// Quarantines lie outside every sandbox.
    static func takeAway(_ frozen: FreezeResult, _ host: Host) {
        Holds.remove(frozen.effects, on: host)
        guard let pin = frozen.quarantine, let group = try? Cgroup(pin, on: host) else { return }
        try? FreezerControl(group).thaw()
        try? group.killAll()
        _ = eventually(within: .seconds(3)) {
            try? group.remove()
            return !group.stillExists()
        }
    }
}
