internal import Base
internal import Glibc
internal import Kernel

/// Holds an entry of cron's: its line becomes a comment that says who did it. cron looks at its tables every minute before it
/// starts anything, so that nothing has to be told to it, and the jobs of others run on. Taken back by making the comment the
/// line again; what somebody else changed in the table meanwhile stays changed.
public struct CronHold: Hashable, Sendable, Codable {
    /// The line that is held.
    public let entry: CronEntry
    /// The random name in front of it.
    public let mark: String

    private static let attempt = "change cron's table"

    private var comment: [UInt8] { Array("#\(mark) ".utf8) + entry.line.bytes }

    /// Makes the line a comment.
    ///
    /// - Throws: `notFound` when the table is gone, `changed` when it has no such line or was changed meanwhile, `refused`
    ///   when it is no plain file of one name.
    func put() throws(Failure) {
        try replace(entry.line.bytes, by: comment, orSay: "the line is not in it any more")
    }

    /// Makes the comment a line again. One that somebody took out is no error.
    func take() throws(Failure) { try replace(comment, by: entry.line.bytes, orSay: nil) }

    /// Whether the comment stands and the line does not.
    func isThere() -> Bool {
        guard let bytes = RegularFile.read(entry.table, limit: 1 << 20) else { return false }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return lines.contains { $0.elementsEqual(comment) } && !lines.contains { $0.elementsEqual(entry.line.bytes) }
    }

    private func replace(_ old: [UInt8], by new: [UInt8], orSay absent: String?) throws(Failure) {
        let table = entry.table
        let text = String(decoding: table.bytes, as: UTF8.self)
        let file: Descriptor
        do throws(Failure) {
            file = try Descriptor(opening: table, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        } catch {
            if error.code == .notFound, absent == nil { return }
            throw error
        }
        var facts = stat()
        guard fstat(file.number, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_nlink == 1 else {
            throw Failure(.refused, CronHold.attempt, on: text, because: "it is not a plain file of one name")
        }
        let bytes = try file.readToEnd(limit: 1 << 20, from: table)
        var isFound = false
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
            guard line.elementsEqual(old) else { return Array(line) }
            isFound = true
            return new
        }
        guard isFound else {
            guard let absent else { return }
            throw Failure(.changed, CronHold.attempt, on: text, because: absent)
        }
        try exchange(table, with: Array(lines.joined(separator: [UInt8(ascii: "\n")])), facts)
    }

    /// A new file takes the table's place at once, with its owner and mode; cron reads no name with a dot in front. A table
    /// that was changed meanwhile is left alone. cron sees a change by the second in which the file and its folder were
    /// changed last: when that is the second of the change before, the next one is written down.
    private func exchange(_ table: BytePath, with bytes: [UInt8], _ facts: stat) throws(Failure) {
        var folder = stat()
        guard table.parent.withCString({ lstat($0, &folder) }) == 0 else {
            throw Failure(errno: errno, CronHold.attempt, on: table.parent)
        }
        let path = table.parent.appending(".\(try Cgroup.randomName())")
        let file = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        do throws(Failure) {
            try bytes.withUnsafeBufferPointer { bytes throws(Failure) in
                try file.write(UnsafeRawBufferPointer(bytes), to: path)
            }
            guard fchown(file.number, facts.st_uid, facts.st_gid) == 0,
                fchmod(file.number, facts.st_mode & 0o7777) == 0, fsync(file.number) == 0
            else { throw Failure(errno: errno, CronHold.attempt, on: path) }
            var now = stat()
            guard table.withCString({ lstat($0, &now) }) == 0, now.st_ino == facts.st_ino,
                now.st_mtim.tv_sec == facts.st_mtim.tv_sec, now.st_mtim.tv_nsec == facts.st_mtim.tv_nsec
            else {
                let text = String(decoding: table.bytes, as: UTF8.self)
                throw Failure(.changed, CronHold.attempt, on: text, because: "somebody else changes it now")
            }
            guard path.withCString({ from in table.withCString { rename(from, $0) } }) == 0 else {
                throw Failure(errno: errno, CronHold.attempt, on: table)
            }
            try CronHold.age(table, since: facts)
            try CronHold.age(table.parent, since: folder)
        } catch {
            _ = path.withCString { unlink($0) }
            throw error
        }
    }
}

extension CronHold {
    private static func age(_ path: BytePath, since before: stat) throws(Failure) {
        var now = stat()
        guard path.withCString({ lstat($0, &now) }) == 0 else { throw Failure(errno: errno, attempt, on: path) }
        guard now.st_mtim.tv_sec <= before.st_mtim.tv_sec else { return }
        var times = [now.st_atim, timespec(tv_sec: before.st_mtim.tv_sec + 1, tv_nsec: 0)]
        guard path.withCString({ utimensat(AT_FDCWD, $0, &times, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            throw Failure(errno: errno, attempt, on: path)
        }
    }
}

extension SupervisorHold {
    /// Holds the entries of cron's among the supervisors.
    func holdEntries(_ result: inout HoldResult, _ apply: Apply) {
        for index in result.supervisors.indices {
            guard let entry = result.supervisors[index].entry, result.supervisors[index].reason == nil else { continue }
            do throws(Failure) {
                let hold = CronHold(entry: entry, mark: try Cgroup.randomName())
                try apply([.holdEntry(hold)]) { () throws(Failure) in try hold.put() }
                result.effects.append(.holdEntry(hold))
                result.supervisors[index].isHeld = hold.isThere()
                if !hold.isThere() { result.supervisors[index].reason = "the entry stands in its table again" }
            } catch {
                result.supervisors[index].reason = error.reason
            }
        }
    }
}
