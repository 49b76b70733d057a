import Base
import Glibc

/// What one containment keeps outside its case: a file in /run/quell. First line: what it is about; then one draft a line.
final class Spool: Sendable {
    /// Why there is one; the raw value ends its name.
    enum Kind: String, CaseIterable {
        /// Written ahead of effects that end with the machine, and not synced: it outlives this process, which is all that
        /// such an effect does (docs/decisions/0039). Removed when the journal has everything.
        case ahead = ".ahead"
        /// The emergency record: written when the store does not answer (RT12), synced line by line. A reserve beside it
        /// gives its space back when the file system is full.
        case emergency = ".spool"

        /// Where the record of that name is kept.
        func path(of id: CaseID, in folder: BytePath) -> BytePath { folder.appending("\(id)\(rawValue)") }
    }

    private let file: Int32
    private let reserve: BytePath
    private let path: BytePath

    private static let reserveSize = 256 << 10

    /// Makes the file with the first drafts, in one write; others can neither open it nor its folder.
    init(
        _ kind: Kind,
        in folder: BytePath,
        for id: CaseID,
        about pins: [SessionPin],
        because reason: String,
        beginningWith drafts: [EntryDraft]
    ) throws(Failure) {
        try StoreFolder.makeAll(folder)
        try StoreFolder.check(folder, hint: "remove the folder and try again")
        path = kind.path(of: id, in: folder)
        reserve = folder.appending("\(id).reserve")
        let isSynced = kind == .emergency
        let flags = O_WRONLY | O_CREAT | O_APPEND | (isSynced ? O_DSYNC : 0) | O_NOFOLLOW | O_CLOEXEC
        file = path.withCString { open($0, flags, 0o600) }
        guard file >= 0 else { throw Failure(errno: errno, "open the emergency record", on: path) }
        flock(file, LOCK_EX | LOCK_NB)
        if isSynced { makeReserve() }
        let head: JSONValue = [
            "case": .string(id.text), "pins": JSONEncoding.list(of: pins), "reason": .string(reason),
        ]
        try write(CanonicalJSON.bytes(of: head) + [UInt8(ascii: "\n")] + Spool.lines(of: drafts))
    }

    deinit {
        close(file)
        _ = reserve.withCString { unlink($0) }
    }

    /// Appends the drafts; durable as its kind is when it returns.
    func append(_ drafts: [EntryDraft]) throws(Failure) {
        try write(Spool.lines(of: drafts))
    }

    private static func lines(of drafts: [EntryDraft]) -> [UInt8] {
        var lines: [UInt8] = []
        for draft in drafts { lines += CanonicalJSON.bytes(of: .object(draft.object)) + [UInt8(ascii: "\n")] }
        return lines
    }

    private func makeReserve() {
        let flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC
        let file = reserve.withCString { open($0, flags, 0o600) }
        guard file >= 0 else { return }
        posix_fallocate(file, 0, off_t(Spool.reserveSize))
        close(file)
    }

    private func write(_ bytes: [UInt8]) throws(Failure) {
        var left = bytes[...]
        while !left.isEmpty {
            let count = left.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            let number = errno
            if count > 0 {
                left = left.dropFirst(count)
            } else if number == ENOSPC, reserve.withCString({ unlink($0) }) == 0 {
                continue
            } else if number != EINTR {
                throw Failure(errno: number, "write the emergency record", on: path)
            }
        }
    }
}

// MARK: Bringing in

extension Spool {
    /// What an emergency record says.
    struct Contents {
        let pins: [SessionPin]
        let reason: String
        let drafts: [EntryDraft]
        /// Lines that a crash tore or somebody altered.
        let unreadable: Int
    }

    /// Reads a record; `nil` when there is none or its writer still lives.
    static func read(_ path: BytePath) throws(Failure) -> Contents? {
        guard let lock = try Lock(path) else { return nil }
        defer { lock.release() }
        return try contents(of: path)
    }

    /// Appends what the record says to the case, marked as late, and removes the record. What the store kept after all,
    /// because it answered later, is not entered twice. Does nothing when there is no record or its writer still lives.
    static func merge(_ path: BytePath, into home: Case) throws(Failure) {
        guard let lock = try Lock(path) else { return }
        defer { lock.release() }
        guard let contents = try contents(of: path) else { return }
        try append(contents, to: home)
        guard path.withCString({ unlink($0) }) == 0 else {
            throw Failure(errno: errno, "remove the emergency record", on: path)
        }
    }

    static func append(_ contents: Contents, to home: Case) throws(Failure) {
        let known = Set(try home.journal.entries().map(\.meant))
        var drafts = contents.drafts.filter { !known.contains($0) }.map { $0.late(because: contents.reason) }
        if contents.unreadable > 0 {
            let count = Int64(contents.unreadable)
            drafts.append(EntryDraft(note: "spool-unreadable", ["lines": .integer(count)], by: .quell))
        }
        try home.add(contents.pins, by: .quell)
        if !drafts.isEmpty { try home.journal.append(drafts) }
    }

    private static func contents(of path: BytePath) throws(Failure) -> Contents? {
        guard let bytes = try SmallFile.read(path, limit: 64 << 20) else { return nil }
        let lines = bytes.completeLines
        guard let first = lines.first else { return Contents(pins: [], reason: "", drafts: [], unreadable: 1) }
        let head = try JSONReader.read(Array(first))
        let pins = try JSONDecoding.decode([SessionPin].self, from: head["pins"] ?? [])
        var drafts: [EntryDraft] = []
        var unreadable = bytes.tornLine.isEmpty ? 0 : 1
        for line in lines.dropFirst() {
            if let draft = draft(in: Array(line)) { drafts.append(draft) } else { unreadable += 1 }
        }
        return Contents(pins: pins, reason: head["reason"]?.string ?? "", drafts: drafts, unreadable: unreadable)
    }

    private static func draft(in line: [UInt8]) -> EntryDraft? {
        do { return EntryDraft(reading: try JSONReader.read(line)) } catch { return nil }
    }

    /// The lock that the writer holds while it lives.
    private struct Lock {
        private let file: Int32

        init?(_ path: BytePath) throws(Failure) {
            file = path.withCString { open($0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) }
            if file < 0 {
                let number = errno
                // Into a folder of root's nobody else can have put one.
                if number == ENOENT || number == EACCES && geteuid() != 0 { return nil }
                throw Failure(errno: number, "open the emergency record", on: path)
            }
            var status = stat()
            let isOurs = fstat(file, &status) == 0 && status.st_uid == geteuid() && status.st_mode & 0o077 == 0
            guard isOurs, status.st_mode & S_IFMT == S_IFREG else {
                close(file)
                throw Failure(.refused, "bring in the emergency record", on: "\(path)", because: "not our own file")
            }
            guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
                close(file)
                return nil
            }
        }

        func release() { close(file) }
    }
}
