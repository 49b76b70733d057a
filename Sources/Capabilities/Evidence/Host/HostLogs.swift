public import Base
import Glibc
public import Kernel
public import Sessions

/// The logs of the host that may tell of a session: those of auditd, journald and syslog, the log of its container, the
/// histories, tables and jobs of its users. Chosen by names and times, copied as they are, rotated ones too; which records
/// are of the session nobody decides here.
///
/// Where they lie: auditd.conf(5), systemd-journald.service(8), logrotate(8), utmp(5), crontab(5), at(1).
public struct HostLogs {
    /// How many files are looked at in one folder.
    static let mostNames = 4096
    private static let plain = [
        "syslog", "messages", "auth.log", "secure", "kern.log", "daemon.log", "user.log", "cron.log", "cron",
        "sudo.log",
    ]
    private static let logins = ["wtmp", "btmp", "lastlog"]
    private static let histories = [
        ".bash_history", ".zsh_history", ".ash_history", ".sh_history", ".history", ".python_history",
        ".node_repl_history", ".local/share/fish/fish_history",
    ]

    private let window: LogWindow
    private let host: Host
    /// `/` but for tests.
    private let root: BytePath
    private let reader = ImpatientReader()
    private let served: ServedPaths

    /// Looks below `root`, which is `/` but for tests.
    public init(in window: LogWindow, on host: Host, root: BytePath = BytePath("/")) {
        self.window = window
        self.host = host
        self.root = root
        served = ServedPaths(on: host)
    }

    /// What the host itself has.
    public func ofTheHost() -> [PlannedLog] {
        var found = named("audit.log", in: root.appending("var/log/audit"), .audit)
        if found.isEmpty { found = [absent("var/log/audit/audit.log", .audit, "auditd has written none here")] }
        var journal: [PlannedLog] = []
        for top in ["var/log/journal", "run/log/journal"] {
            journal += each(in: root.appending(top), .journal) { name in
                let folder = root.appending(top).appending(name)
                // A file that lies beside the folders of the machines.
                guard let log = look(folder, .journal, nil), log.failure != nil || log.facts?.kind == .directory else {
                    return []
                }
                return log.failure == nil ? journals(in: folder) : [log]
            }
        }
        found += journal.isEmpty ? [absent("var/log/journal", .journal, "journald keeps none here")] : journal
        let folder = root.appending("var/log")
        for name in HostLogs.plain { found += named(name, in: folder, .system) }
        for name in HostLogs.logins { found += named(name, in: folder, .logins) }
        // A folder that cannot be listed is told once, not for each name.
        var told: Set<PlannedLog> = []
        return found.filter { told.insert($0).inserted }
    }

    /// What the runtime keeps of the output of a container, all of it.
    public func of(_ container: ContainerFiles) -> [PlannedLog] {
        container.logs.flatMap { named($0.prefix, in: $0.folder, .container, isTimed: false) }
    }

    /// What the users of a session left: in their homes, and, where they are the host's users, with cron and at.
    public func of(_ homes: [SessionHome]) -> [PlannedLog] {
        var found: [PlannedLog] = []
        for home in homes {
            // What cannot be touched is told once, and not for each name below it.
            if let log = unasked(home) {
                found.append(log)
                continue
            }
            for name in HostLogs.histories { found += file(home.path.appending(name), .history, home) }
            guard home.isOfTheHost, let name = home.user else { continue }
            for folder in ["var/spool/cron/crontabs", "var/spool/cron", "var/spool/cron/tabs"] {
                found += file(root.appending(folder).appending(name), .schedule, home)
            }
        }
        let users = Set(homes.filter(\.isOfTheHost).map(\.uid))
        for folder in ["var/spool/cron/atjobs", "var/spool/at"] where !users.isEmpty {
            found += named("", in: root.appending(folder), .schedule, isTimed: false) { users.contains($0.uid) }
        }
        return found
    }

    /// That nothing is asked below a home, because whoever serves it may not answer; `nil` when it may be.
    private func unasked(_ home: SessionHome) -> PlannedLog? {
        do throws(Failure) {
            try served.refuse(home.path, inside: home.inside)
            return nil
        } catch {
            var log = PlannedLog(path: home.path, kind: .history)
            log.inside = home.inside
            log.failure = error
            return log
        }
    }

    // MARK: - Looking

    /// The regular files of a folder whose names are `prefix` or begin with it and `.`, `-` or `_`.
    private func named(
        _ prefix: String,
        in folder: BytePath,
        _ kind: PlannedLog.Kind,
        isTimed: Bool = true,
        where isMeant: (FileFacts) -> Bool = { _ in true }
    ) -> [PlannedLog] {
        each(in: folder, kind) { name in
            guard HostLogs.isRotation(name, of: prefix) else { return [] }
            guard let log = look(folder.appending(name), kind, nil) else { return [] }
            guard let facts = log.facts else { return [log] }
            guard facts.kind == .file || facts.kind == .symlink, isMeant(facts) else { return [] }
            return [isTimed ? timed(log, from: start(of: facts, name)) : log]
        }
    }

    private static func isRotation(_ name: BytePath, of prefix: String) -> Bool {
        if prefix.isEmpty { return name.bytes.first != UInt8(ascii: ".") }
        guard name.bytes.starts(with: prefix.utf8) else { return false }
        guard let next = name.bytes.dropFirst(prefix.utf8.count).first else { return true }
        return ".-_".utf8.contains(next)
    }

    /// `system.journal`, `user-1000@SEQUENCE-NUMBER-MICROSECONDS.journal`, and what was found broken, with a `~`.
    private func journals(in folder: BytePath) -> [PlannedLog] {
        each(in: folder, .journal) { name in
            let text = String(decoding: name.bytes, as: UTF8.self)
            guard text.hasSuffix(".journal") || text.hasSuffix(".journal~") else { return [] }
            guard var log = look(folder.appending(name), .journal, nil) else { return [] }
            if log.failure != nil { return [log] }
            if let kind = log.facts?.kind, kind != .file {
                log.leftOut = "it is no file: \(kind.rawValue)"
                return [log]
            }
            let words = text.split(separator: "@").last?.split(separator: ".").first?.split(separator: "-") ?? []
            let first = words.count == 3 ? UInt64(words[2], radix: 16) : nil
            return [timed(log, from: first.flatMap { Int64(exactly: $0) }.map { Instant(nanoseconds: $0 &* 1000) })]
        }
    }

    /// One file of a user's; none when it is not there. Another user's, reached because the session says that its home is
    /// there, is told and left out (RT24).
    private func file(_ path: BytePath, _ kind: PlannedLog.Kind, _ home: SessionHome) -> [PlannedLog] {
        guard var log = look(path, kind, kind == .schedule ? nil : home.inside) else { return [] }
        guard log.facts?.kind != .directory else { return [] }
        if let facts = log.facts, facts.uid != home.uid, kind == .history {
            log.leftOut = "it belongs to uid \(facts.uid), not to the session's user"
        }
        if kind == .history, log.leftOut == nil, log.failure == nil { return [timed(log, from: nil)] }
        return [log]
    }

    /// A compressed file was made when it was compressed; a plain one with its first record.
    private func start(of facts: FileFacts, _ name: BytePath) -> Instant? {
        let log = PlannedLog(path: name, kind: .system)
        return log.ending.isEmpty ? facts.born?.instant : nil
    }

    private func timed(_ log: PlannedLog, from first: Instant?) -> PlannedLog {
        var log = log
        if let facts = log.facts {
            log.leftOut = window.leavesOut(from: first, until: facts.modified.instant)
        }
        return log
    }

    /// What stands there; `nil` when nothing does.
    private func look(_ path: BytePath, _ kind: PlannedLog.Kind, _ inside: ProcessPin?) -> PlannedLog? {
        var log = PlannedLog(path: path, kind: kind)
        log.inside = inside
        do throws(Failure) {
            try served.refuse(path, inside: inside)
            log.facts = try TreePlace(path: path, inside: inside).look(on: host, by: reader)
        } catch {
            log.failure = error
            return log
        }
        return log.facts == nil ? nil : log
    }

    private func absent(_ path: String, _ kind: PlannedLog.Kind, _ reason: String) -> PlannedLog {
        var log = PlannedLog(path: root.appending(path), kind: kind)
        log.leftOut = reason
        return log
    }

    /// What `plan` makes of the names in a folder, none when it does not exist; else that it could not be listed.
    private func each(
        in folder: BytePath,
        _ kind: PlannedLog.Kind,
        _ plan: (BytePath) -> [PlannedLog]
    ) -> [PlannedLog] {
        do throws(Failure) {
            try served.refuse(folder, inside: nil)
            let names = try FileNode.at(folder).names(after: nil, limit: HostLogs.mostNames)
            let found = (0..<names.count).flatMap { plan(names[$0]) }
            guard names.hasMore else { return found }
            var log = PlannedLog(path: folder, kind: kind)
            let reason = "it has more than \(HostLogs.mostNames) names: those behind the first are not looked at"
            log.failure = Failure(.refused, "list the logs", on: "\(folder)", because: reason)
            return found + [log]
        } catch {
            if error.code == .notFound { return [] }
            var log = PlannedLog(path: folder, kind: kind)
            log.failure = error
            return [log]
        }
    }
}
