internal import Base
internal import Glibc
internal import Kernel
internal import Sessions

/// Looks for what comes up in the place of a killed session (RT4): a process in a group of the same path; a new child of
/// the leader's parent under the leader's name; and, because whoever watches a session need be no parent of it, a process
/// that runs the leader's program with the leader's arguments as the leader's user (docs/decisions/0015).
struct SuccessorWatch {
    private let host: Host
    private let paths: CgroupPathSet
    private let parent: Int32
    private let name: BytePath
    private let before: Set<ProcessPin>
    private let portrait: Portrait?

    /// What a process runs: what a copy of it has in common with it, wherever it was started.
    private struct Portrait: Equatable {
        let user: UInt32
        let program: BytePath
        let arguments: [BytePath]

        /// `nil` when one of these cannot be read in time.
        init?(_ pin: ProcessPin, on host: Host) {
            do throws(Failure) {
                let process = try ProcessDirectory(pin, on: host)
                guard let user = try process.status().uids.first, let program = try process.executable() else {
                    return nil
                }
                self.user = user
                self.program = program
            } catch {
                return nil
            }
            let soon = Deadline(after: .milliseconds(500))
            guard let arguments = ProcessArguments.read([pin], on: host, by: soon)[pin] else { return nil }
            self.arguments = arguments
        }
    }

    /// Takes down, before the kill, who the leader and its parent are and which children the parent has.
    ///
    /// - Throws: when the processes cannot be listed.
    init(_ subject: Subject, on host: Host) throws(Failure) {
        self.host = host
        paths = CgroupPathSet(subject.pin.cgroups.map { CgroupLine(hierarchy: $0.hierarchy, path: $0.path) })
        let scanner = ProcessScanner(host)
        let leader = subject.pin.leader.flatMap { pin in
            scanner.namedStat(of: pin.pid).flatMap { $0.pin == pin ? $0 : nil }
        }
        parent = leader?.numbers.parent ?? 0
        name = leader?.name ?? BytePath("")
        portrait = leader.flatMap { Portrait($0.pin, on: host) }
        before = Set(try SuccessorWatch.processes(scanner).map(\.pin))
    }

    /// Looks every 100 ms until the deadline; ends at the first finding.
    ///
    /// - Throws: when the processes cannot be listed.
    func look(until deadline: Deadline, not doomed: [ProcessPin]) throws(Failure) -> [Successor] {
        let dead = Set(doomed)
        let responder = Responder.pids(on: host)
        while true {
            let found = try once(dead, responder)
            if !found.isEmpty || deadline.hasPassed { return found }
            usleep(100_000)
        }
    }

    private func once(_ dead: Set<ProcessPin>, _ responder: Set<Int32>) throws(Failure) -> [Successor] {
        let scanner = ProcessScanner(host)
        var found: [Successor] = []
        var copies: [(stat: ProcessStat, successor: Successor)] = []
        for stat in try SuccessorWatch.processes(scanner)
        where !before.contains(stat.pin) && !dead.contains(stat.pin) && !responder.contains(stat.pid) {
            if try stands(stat, scanner) {
                found.append(Successor(process: stat.pin, name: stat.name, reason: "it stands in the session's group"))
            } else if parent > 1, stat.numbers.parent == parent, stat.name == name {
                let reason = "process \(parent) started it, as it had started the leader"
                found.append(Successor(process: stat.pin, name: stat.name, reason: reason))
            } else if let portrait, stat.name == name, Portrait(stat.pin, on: host) == portrait {
                let reason =
                    "it runs what the leader ran, with the same arguments and as the same user; "
                    + "process \(stat.numbers.parent) started it"
                copies.append((stat, Successor(process: stat.pin, name: stat.name, reason: reason)))
            }
        }
        // What a copy forked looks like it, and comes with it.
        let pids = Set(copies.map(\.stat.pid))
        return found + copies.filter { !pids.contains($0.stat.numbers.parent) }.map(\.successor)
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
