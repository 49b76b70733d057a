import Base
import Casework
import Containment
import Kernel

/// Whether sessions stood still since they were frozen and since they were captured, asked from the world (RT16, RT28):
/// somebody beside Quell may have let them run for a while, which no journal knows.
struct UnbrokenHold {
    private let home: Case
    private let host: Host

    init(in home: Case, on host: Host) {
        self.home = home
        self.host = host
    }

    /// - Throws: `refused` with the first thing that happened to one of the sessions since its freeze or since `capture`
    ///   was sealed.
    func require(of pins: [SessionPin], since capture: CaptureRecord, to attempt: String) throws(Failure) {
        for pin in pins {
            let held = try HeldSession(of: pin, in: home, on: host)
            guard let broken = try breaks(of: held, since: capture).first else { continue }
            throw Failure(
                .refused,
                attempt,
                on: pin.cgroups.first.map { String(decoding: $0.path.bytes, as: UTF8.self) } ?? "the session",
                because: "capture \(capture.bundle) does not count: \(broken); freeze and capture it again, "
                    + "or --waive with a reason goes on without",
                hint: pin.hint("freeze", in: home.id)
            )
        }
    }

    /// A line for each thing that happened; may hold hostile names, escaped.
    private func breaks(of held: HeldSession, since capture: CaptureRecord) throws(Failure) -> [String] {
        guard let freeze = held.lastFreeze, let everything = held.everything else { return [] }
        var breaks: [String] = []
        for group in everything.groups { breaks += try use(of: group, since: capture) }
        let check = try FreezeCheck(of: freeze, on: host)
        let own = try ownPids()
        for process in check.joined where !held.members.contains(process) && !own.contains(process.pid) {
            breaks.append("process \(process.pid) joined since the freeze")
        }
        for process in check.movedOut { breaks.append("process \(process.pid) stands outside of the frozen groups") }
        return breaks
    }

    /// What a group has used since; a group without anybody in it, or that is gone, has nobody who could have run on.
    private func use(of frozen: FrozenGroup, since capture: CaptureRecord) throws(Failure) -> [String] {
        let now: UInt64?
        do throws(Failure) {
            let group = try Cgroup(frozen.group, on: host)
            guard try FreezerControl(group).isPopulated() else { return [] }
            now = try group.cpuMicroseconds()
        } catch {
            guard error.code == .notFound || error.code == .changed else { throw error }
            return []
        }
        guard let now else { return [] }
        let sealed = capture.times?.first { $0.group == frozen.group }?.microseconds
        if let sealed, sealed != now { return [broken(frozen.group, sealed, now, "capture")] }
        if let before = frozen.cpuMicroseconds, before != now { return [broken(frozen.group, before, now, "freeze")] }
        guard sealed == nil, frozen.cpuMicroseconds == nil else { return [] }
        return ["nothing tells whether \(frozen.group.path) ran since the freeze: its CPU time was not recorded"]
    }

    private func broken(_ group: CgroupPin, _ before: UInt64, _ now: UInt64, _ since: String) -> String {
        let used = now > before ? now - before : 0
        return "\(group.path) used \(used) microseconds of CPU time since the \(since): "
            + "the freeze was broken from outside"
    }

    /// Quell and the processes that wait for it: whoever moves the responder's shell in must not hold the kill up (RT11).
    private func ownPids() throws(Failure) -> Set<Int32> {
        let scanner = ProcessScanner(host)
        var found: Set<Int32> = []
        var current = ProcessScanner.ownPid
        while current > 0, found.insert(current).inserted { current = scanner.stat(of: current)?.parent ?? 0 }
        return found
    }
}
