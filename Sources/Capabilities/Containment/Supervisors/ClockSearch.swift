internal import Base
internal import Glibc
internal import Kernel
internal import Sessions

/// Finds what starts a session by the clock: an entry of cron's, a job of at's. Such a daemon is no parent that waits: it
/// acts again whatever became of the last job, so that it is looked for above every parent (docs/decisions/0024).
struct ClockSearch {
    let root: BytePath
    let host: Host
    private static let crons: Set<String> = ["cron", "crond"]

    /// What was found, and who of the parents is only cron's or at's own process for the job, which starts nothing again.
    struct Findings {
        var supervisors: [Supervisor] = []
        var notes: [String] = []
        var waiting: Set<ProcessPin> = []
    }

    /// Looks above these processes, which are the leader and the parents of members.
    func find(above processes: [ProcessStat]) -> Findings {
        var findings = Findings()
        var seen: Set<ProcessPin> = []
        for process in processes {
            guard let job = job(of: process) else { continue }
            findings.waiting.formUnion(job.waiting)
            guard seen.insert(job.first.pin).inserted else { continue }
            if job.daemon == "atd" { tellQueue(job, &findings) } else { tellTables(job, &findings) }
        }
        return findings
    }

    private struct Job {
        /// The job's first process, mostly a shell.
        let first: ProcessStat
        let daemon: String
        let pid: Int32
        /// The daemon's own processes above it.
        let waiting: [ProcessPin]
    }

    /// Goes up to the first process that executes one of these daemons; believed only as a file of the host's.
    private func job(of process: ProcessStat) -> Job? {
        let scanner = ProcessScanner(host)
        var below: ProcessStat?
        var current: ProcessStat? = process
        var steps = 0
        while let here = current, here.pid > 1, steps < 256 {
            steps += 1
            let program = ParentProgram(here, on: host).trusted
            if let program, program == "atd" || ClockSearch.crons.contains(program) {
                var waiting = [here.pin]
                let above = scanner.namedStat(of: here.numbers.parent)
                let isWaiting = above.map { ParentProgram($0, on: host).trusted == program } ?? false
                if let above, isWaiting { waiting.append(above.pin) }
                guard let first = below ?? (isWaiting ? onlyChild(of: here, scanner) : nil) else { return nil }
                return Job(first: first, daemon: program, pid: waiting.last?.pid ?? here.pid, waiting: waiting)
            }
            below = here
            current = scanner.namedStat(of: here.numbers.parent)
        }
        return nil
    }

    private func onlyChild(of process: ProcessStat, _ scanner: borrowing ProcessScanner) -> ProcessStat? {
        do throws(Failure) {
            let children = try scanner.pids().compactMap { scanner.namedStat(of: $0) }
                .filter { $0.numbers.parent == process.pid }
            return children.count == 1 ? children.first : nil
        } catch {
            return nil
        }
    }

    private func tellTables(_ job: Job, _ findings: inout Findings) {
        let unknown = Supervisor(
            kind: .cronEntry,
            name: BytePath(job.daemon),
            detail: "\(job.daemon) (process \(job.pid)) started process \(job.first.pid)",
            process: nil,
            reason: "no entry of its tables is what started it: look through crontab -l, /etc/crontab and /etc/cron.d"
        )
        guard let uid = user(of: job.first) else {
            findings.supervisors.append(unknown)
            return
        }
        let soon = Deadline(after: .milliseconds(500))
        let arguments = ProcessArguments.read([job.first.pin], on: host, by: soon)[job.first.pin] ?? []
        let all = CronTables(root: root).entries(of: uid)
        let found = all.filter { $0.line.starts(arguments) }
        let atBoot = found.filter(\.line.isAtBoot).map(\.entry)
        for entry in atBoot {
            findings.notes.append("cron starts it when this machine starts: \(entry.line) in \(entry.table)")
        }
        for (entry, _) in found
        where !atBoot.contains(entry) && !findings.supervisors.contains(where: { $0.entry == entry }) {
            var supervisor = Supervisor(
                kind: .cronEntry,
                name: entry.table,
                detail: "\(job.daemon) starts it: \(entry.line)",
                process: nil
            )
            supervisor.entry = entry
            findings.supervisors.append(supervisor)
        }
        if found.isEmpty { findings.supervisors.append(unknown) }
        let others = Set(all.map(\.entry)).subtracting(found.map(\.entry)).count
        if others > 0 {
            findings.notes.append("\(others) other entries of uid \(uid) in cron's tables are left as they are")
        }
    }

    /// at runs a job once, and calls it `=` while it runs; what the same user has still waiting may be the next.
    private func tellQueue(_ job: Job, _ findings: inout Findings) {
        let detail: String
        if let uid = user(of: job.first) {
            let waiting = waitingJobs(of: uid)
            if waiting == 0 { return }
            detail = waiting.map { "\($0) jobs of uid \(uid) wait in its queue" } ?? "its queue cannot be read"
        } else {
            detail = "whose job it was is not known"
        }
        findings.supervisors.append(
            Supervisor(
                kind: .sharedDaemon,
                name: BytePath("atd"),
                detail: "at started it, and \(detail)",
                process: nil,
                reason: "any of these may start it again: atq lists them, atrm takes one out"
            )
        )
    }

    /// `nil` when the queue cannot be read.
    private func waitingJobs(of uid: UInt32) -> Int? {
        let folder = root.appending("var/spool/cron/atjobs")
        var waiting = 0
        do throws(Failure) {
            let directory = try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY)
            try directory.forEachEntry(of: folder) { name, _ throws(Failure) in
                let path = folder.appending(BytePath(name))
                var facts = stat()
                guard let queue = BytePath(name).bytes.first, isalpha(Int32(queue)) != 0,
                    path.withCString({ lstat($0, &facts) }) == 0,
                    facts.st_mode & S_IFMT == S_IFREG, facts.st_uid == uid, facts.st_mode & S_IXUSR != 0
                else { return }
                waiting += 1
            }
            return waiting
        } catch {
            return nil
        }
    }

    private func user(of process: ProcessStat) -> UInt32? {
        do throws(Failure) {
            return try ProcessDirectory(process.pin, on: host).status().uids.first
        } catch {
            return nil
        }
    }
}
