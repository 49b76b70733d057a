public import Base
public import Kernel

/// What the processes of a session were at one moment, one record a process. Nothing is left out silently: a process
/// that ended is a record with a failure.
public struct SessionSnapshot: Sendable {
    /// How much is read.
    public enum Depth: Sendable {
        /// Only what may be read before a freeze: stat, status, cgroup, threads (RT7).
        case quiet
        /// Arguments, links, open files and names of the environment too. These can block on pages that the session
        /// serves, so only when it is frozen.
        case full
    }

    /// One process to record.
    public struct Subject: Hashable, Sendable {
        /// Which one.
        public let pin: ProcessPin
        /// How it stands to the session.
        public let membership: Membership
        /// Why.
        public let marks: [Mark]

        /// Takes all parts.
        public init(_ pin: ProcessPin, _ membership: Membership, marks: [Mark] = []) {
            self.pin = pin
            self.membership = membership
            self.marks = marks
        }
    }

    /// The records, in the order of the subjects.
    public let records: [ProcessRecord]
    /// The earliest and the latest moment of reading.
    public let taken: Interval

    /// Reads the subjects one after another.
    public static func take(_ subjects: [Subject], on host: Host, depth: Depth) -> SessionSnapshot {
        let began = Instant.now()
        let records = subjects.map { subject in
            var reading = ProcessReading(subject, on: host)
            reading.read(depth, on: host)
            return reading.record
        }
        return SessionSnapshot(records: records, taken: Interval(began, Instant.now()))
    }
}

extension Session {
    /// The members and the guests as subjects of a snapshot.
    public var subjects: [SessionSnapshot.Subject] {
        members.map { SessionSnapshot.Subject($0.pin, .member, marks: $0.marks(leader: leader)) }
            + guests.map { SessionSnapshot.Subject($0.pin, .guest) }
    }
}

extension SessionMember {
    /// Why it counts as a member, as marks.
    func marks(leader: SessionMember?) -> [Mark] {
        let pid = leader.map { "process \($0.pin.pid)" } ?? "the leader"
        switch lineage {
        case .leader: return [Mark(.lineage, "is the first process of the session")]
        case .descendant: return [Mark(.lineage, "descends from \(pid)")]
        case .sessionOfMember: return [Mark(.lineage, "is in a setsid session that a descendant of \(pid) began")]
        case .pidNamespace: return [Mark(.pidNamespace, "shares the private pid namespace of \(pid)")]
        case .orphan:
            return [Mark(.lineage, "lost its parent, stands in a cgroup of the session, is younger than \(pid)")]
        case .sandbox: return [Mark(.lineage, "is a gofer of the gVisor sandbox whose sentry is \(pid)")]
        case .none: return []
        }
    }
}

/// Fills one record and keeps what fails.
private struct ProcessReading {
    var record: ProcessRecord

    init(_ subject: SessionSnapshot.Subject, on host: Host) {
        record = ProcessRecord(
            pid: subject.pin.pid,
            startTicks: subject.pin.startTicks,
            started: host.started(atTicks: subject.pin.startTicks).earliest,
            membership: subject.membership,
            marks: subject.marks
        )
    }

    mutating func read(_ depth: SessionSnapshot.Depth, on host: Host) {
        let process: ProcessDirectory
        do throws(Failure) {
            process = try ProcessDirectory(ProcessPin(pid: record.pid, startTicks: record.startTicks), on: host)
        } catch {
            record.failures.append(ReadFailure("process", error))
            return
        }
        readIdentity(process)
        readThreads(process)
        if depth == .full { readDetails(process) }
    }

    private mutating func readIdentity(_ process: borrowing ProcessDirectory) {
        do throws(Failure) {
            let stat = try process.stat()
            record.ppid = stat.numbers.parent
            record.comm = stat.name
            record.state = letter(stat.numbers.state)
        } catch { record.failures.append(ReadFailure("stat", error)) }
        do throws(Failure) {
            let status = try process.status()
            record.uid = status.uids.first
            record.gid = status.gids.first
        } catch { record.failures.append(ReadFailure("status", error)) }
        do throws(Failure) {
            record.cgroups = try process.cgroups()
        } catch { record.failures.append(ReadFailure("cgroup", error)) }
    }

    private mutating func readThreads(_ process: borrowing ProcessDirectory) {
        let threads: [Int32]
        do throws(Failure) {
            threads = try process.threadIDs().sorted()
        } catch {
            record.failures.append(ReadFailure("threads", error))
            return
        }
        for thread in threads {
            do throws(Failure) {
                let stat = try process.threadStat(thread)
                let cgroups = thread == record.pid ? record.cgroups : try process.threadCgroups(thread)
                record.threads.append(
                    ThreadRecord(
                        tid: thread,
                        state: letter(stat.numbers.state),
                        cgroups: cgroups == record.cgroups ? nil : cgroups
                    )
                )
            } catch { record.failures.append(ReadFailure("thread \(thread)", error)) }
        }
    }

    /// Of a process whose first thread ended, what hangs on the process is read through a living thread (RT5).
    private mutating func readDetails(_ process: borrowing ProcessDirectory) {
        let living = record.threads.first { !["Z", "X"].contains($0.state) }?.tid
        let through = living.map { $0 == record.pid ? "" : "task/\($0)/" } ?? ""
        do throws(Failure) {
            record.argv = ProcessReading.strings(try process.contents(through + "cmdline", limit: 1 << 20))
        } catch { record.failures.append(ReadFailure("argv", error)) }
        do throws(Failure) {
            record.exe = try process.link(through + "exe")
        } catch { record.failures.append(ReadFailure("exe", error)) }
        do throws(Failure) {
            record.cwd = try process.link(through + "cwd")
        } catch { record.failures.append(ReadFailure("cwd", error)) }
        do throws(Failure) {
            record.environNames = try process.environmentNames()
        } catch { record.failures.append(ReadFailure("environNames", error)) }
        do throws(Failure) {
            record.openFiles = try process.openFiles().map { OpenFileRecord($0) }
        } catch { record.failures.append(ReadFailure("openFiles", error)) }
    }

    private func letter(_ state: UInt8) -> String { String(Unicode.Scalar(state)) }

    private static func strings(_ bytes: [UInt8]) -> [BytePath] {
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false)
        return parts.dropLast(bytes.last == 0 || bytes.isEmpty ? 1 : 0).map { BytePath($0) }
    }
}
