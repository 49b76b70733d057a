internal import Base
internal import Glibc
internal import Kernel
internal import Sessions

/// Looks for what comes up in the place of a killed session (RT4): a process in a group of the same path; a new child of
/// the leader's parent under the leader's name; and, because whoever watches a session need be no parent of it, a process
/// that runs the leader's program with the leader's arguments as the leader's user (docs/decisions/0015). One of which only
/// the arguments are not known to be the same is in doubt (docs/decisions/0029).
struct SuccessorWatch {
    typealias ReadArguments = ([ProcessPin], Deadline) -> [ProcessPin: [BytePath]]

    /// What a look found.
    struct Findings {
        /// In the session's place beyond doubt.
        var successors: [Successor] = []
        /// In doubt.
        var resembling: [Successor] = []
        /// What could not be looked at, so that a successor may be missing.
        var unknown: [String] = []
    }

    private let host: Host
    private let paths: CgroupPathSet
    private let parent: Int32
    private let name: BytePath
    private let before: Set<ProcessPin>
    private var portrait: Portrait?
    private var unknown: [String] = []
    private let read: ReadArguments

    /// Takes down, before the kill, who the leader and its parent are, what it runs, and who is there already. When the
    /// leader has ended, the oldest of `members` that lives stands for it.
    ///
    /// - Throws: when the processes cannot be listed.
    init(
        _ subject: Subject,
        members: [ProcessPin] = [],
        on host: Host,
        reading: ReadArguments? = nil
    ) throws(Failure) {
        self.host = host
        read = reading ?? { pins, deadline in ProcessArguments.read(pins, on: host, by: deadline) }
        paths = CgroupPathSet(subject.pin.cgroups.map { CgroupLine(hierarchy: $0.hierarchy, path: $0.path) })
        let scanner = ProcessScanner(host)
        let living = try SuccessorWatch.processes(scanner)
        before = Set(living.map(\.pin))
        let leader = living.first { $0.pin == subject.pin.leader }
        parent = leader?.numbers.parent ?? 0
        name = leader?.name ?? BytePath("")
        let inside = Set(members)
        let oldest = living.filter { inside.contains($0.pin) }.min { $0.pin.startTicks < $1.pin.startTicks }
        if let model = leader ?? oldest { paint(model) }
    }

    /// Who ends meanwhile leaves nothing to be repeated by itself; anything else that keeps it from being read is told.
    private mutating func paint(_ model: ProcessStat) {
        do throws(Failure) {
            portrait = try Portrait(model.pin, isHeadless: model.numbers.isHeadless, on: host)
            portrait?.arguments = read([model.pin], Deadline(after: .milliseconds(500)))[model.pin]
        } catch {
            guard error.code != .notFound, error.code != .changed else { return }
            unknown = ["whether something runs what it ran, because that is not known: \(error)"]
        }
    }

    /// Looks every 100 ms until the deadline; ends at the first finding beyond doubt. In doubt is only who lives at the end.
    ///
    /// - Throws: when the processes cannot be listed.
    func look(until deadline: Deadline, not doomed: [ProcessPin]) throws(Failure) -> Findings {
        let dead = Set(doomed)
        let responder = Responder.pids(on: host)
        var asked: [ProcessPin: Int] = [:]
        while true {
            let found = try once(dead, responder, deadline, &asked)
            if !found.successors.isEmpty || deadline.hasPassed { return found }
            usleep(100_000)
        }
    }

    private func once(
        _ dead: Set<ProcessPin>,
        _ responder: [Int32],
        _ deadline: Deadline,
        _ asked: inout [ProcessPin: Int]
    ) throws(Failure) -> Findings {
        let scanner = ProcessScanner(host)
        var found = Findings(unknown: unknown)
        var candidates: [(stat: ProcessStat, portrait: Portrait)] = []
        for stat in try SuccessorWatch.processes(scanner)
        where !before.contains(stat.pin) && !dead.contains(stat.pin) && !responder.contains(stat.pid) {
            if try stands(stat, scanner) {
                let reason = "it stands in the session's group"
                found.successors.append(Successor(process: stat.pin, name: stat.name, reason: reason))
            } else if parent > 1, stat.numbers.parent == parent, stat.name == name {
                let reason = "process \(parent) started it, as it had started the leader"
                found.successors.append(Successor(process: stat.pin, name: stat.name, reason: reason))
            } else if let portrait, let other = look(at: stat, &found), portrait.mayBeLike(other) {
                candidates.append((stat, other))
            }
        }
        readArguments(&candidates, by: deadline, &asked)
        judge(candidates, &found)
        return found
    }

    private func look(at stat: ProcessStat, _ found: inout Findings) -> Portrait? {
        do throws(Failure) {
            return try Portrait(stat.pin, isHeadless: stat.numbers.isHeadless, on: host)
        } catch {
            if error.code != .notFound, error.code != .changed {
                found.unknown.append("whether process \(stat.pid) (\(stat.name)) is a successor: \(error)")
            }
            return nil
        }
    }

    /// All at once, so that those that hang take one wait together; who gave no answer twice is asked no more, which
    /// leaves it in doubt. The last look has a moment of its own.
    private func readArguments(
        _ candidates: inout [(stat: ProcessStat, portrait: Portrait)],
        by deadline: Deadline,
        _ asked: inout [ProcessPin: Int]
    ) {
        let pins = candidates.map(\.stat.pin).filter { asked[$0, default: 0] < 2 }
        guard !pins.isEmpty else { return }
        let moment = Deadline(after: .milliseconds(300))
        let arguments = read(pins, deadline.remaining > moment.remaining ? deadline : moment)
        for index in candidates.indices { candidates[index].portrait.arguments = arguments[candidates[index].stat.pin] }
        for pin in pins where arguments[pin] == nil { asked[pin, default: 0] += 1 }
    }

    /// What a copy forked looks like it, and comes with it.
    private func judge(_ candidates: [(stat: ProcessStat, portrait: Portrait)], _ found: inout Findings) {
        guard let portrait else { return }
        var alike: Set<Int32> = []
        var copies: [(parent: Int32, successor: Successor)] = []
        var doubts: [(parent: Int32, successor: Successor)] = []
        for (stat, other) in candidates {
            func successor(_ reason: String) -> Successor {
                Successor(
                    process: stat.pin,
                    name: stat.name,
                    reason: "\(reason); process \(stat.numbers.parent) started it"
                )
            }
            switch portrait.likeness(of: other) {
            case .none: continue
            case .same:
                let reason = "it runs what the leader ran, with the same arguments and as the same user"
                copies.append((stat.numbers.parent, successor(reason)))
            case .inDoubt(let doubt):
                let reason = "it runs the file that the leader ran, as the same user, and began since; \(doubt)"
                doubts.append((stat.numbers.parent, successor(reason)))
            }
            alike.insert(stat.pid)
        }
        found.successors += copies.filter { !alike.contains($0.parent) }.map(\.successor)
        found.resembling += doubts.filter { !alike.contains($0.parent) }.map(\.successor)
    }

    private func stands(_ stat: ProcessStat, _ scanner: borrowing ProcessScanner) throws(Failure) -> Bool {
        guard stat.numbers.isHeadless else { return scanner.stands(in: paths, pid: stat.pid) == true }
        return try ProcessDirectory.places(of: stat.pin, isHeadless: true, on: host).contains { paths.matches($0) }
    }

    private static func processes(_ scanner: borrowing ProcessScanner) throws(Failure) -> [ProcessStat] {
        try scanner.pids().compactMap { scanner.namedStat(of: $0) }
            .filter { !$0.numbers.isKernelThread && !$0.numbers.isDead }
    }
}
