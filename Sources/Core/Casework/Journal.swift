public import Base
import GRDB
public import Sealing
import Synchronization

/// The append-only, hash-chained record of a case. Entries are written only by this room's and Engine's functions;
/// reading and verifying is open to all.
public final class Journal: JournalWriter {
    private let database: JournalDatabase
    private let caseID: CaseID
    private let key: SigningKey?
    private let notes: CheckpointFile
    private let anchors: @Sendable () -> AnchorLook
    private let announce: @Sendable (SignedNote) -> Void
    private let fault: JournalFault
    private let appends = Atomic<Int>(0)
    private let unsynced = Mutex<BytePath?>(nil)

    init(
        _ database: JournalDatabase,
        of caseID: CaseID,
        key: SigningKey?,
        notes: CheckpointFile,
        anchors: @escaping @Sendable () -> AnchorLook,
        announce: @escaping @Sendable (SignedNote) -> Void,
        fault: JournalFault
    ) {
        self.database = database
        self.caseID = caseID
        self.key = key
        self.notes = notes
        self.anchors = anchors
        self.announce = announce
        self.fault = fault
    }

    /// Has the next append bring this folder to disk as well: the one in which the case has its name. The file system has
    /// written the name along with the entries by then, as a rule, and there is nothing left to wait for.
    func sync(_ folder: BytePath) { unsynced.withLock { $0 = folder } }

    /// Appends all drafts in one transaction that reads the head inside, so writers in other processes cannot fork the
    /// chain. When a key exists and one of the drafts is the outcome of an effect, a capture, a hand-over or the end of
    /// the case, a signed checkpoint follows in the same transaction (RT15). Durable when it returns.
    ///
    /// - Throws: ENOSPC, EROFS, or `timedOut` when another process holds the case locked; then nothing was appended. When the
    ///   folder of ``sync(_:)`` cannot be brought to disk, the entries are there, and perhaps without their case's name.
    package func append(_ drafts: [EntryDraft]) throws(Failure) {
        let number = appends.add(1, ordering: .relaxed).oldValue
        let note = try database.write("write the journal") { [fault] database -> SignedNote? in
            if try database.layout() == 0 { try database.createTables() }
            var head = try database.head() ?? JournalHead(origin: caseID)
            for draft in drafts { head = try database.append(Entry(draft, after: head)) }
            let note = try checkpoint(at: head, after: drafts)
            if let note { _ = try database.append(Entry(CheckpointFile.draft(of: note), after: head)) }
            fault.beforeCommit(number)
            return note
        }
        let failure = bringNameToDisk()
        fault.afterCommit(number)
        if let note {
            notes.add(note)
            announce(note)
        }
        // What was appended stands, and its checkpoint is told, whatever became of the name.
        if let failure { throw failure }
    }

    private func bringNameToDisk() -> Failure? {
        guard let folder = unsynced.withLock({ $0 }) else { return nil }
        do throws(Failure) {
            try StoreFolder.sync(folder)
            unsynced.withLock { $0 = nil }
            return nil
        } catch {
            return error
        }
    }

    private func checkpoint(at head: JournalHead, after drafts: [EntryDraft]) throws(Failure) -> SignedNote? {
        guard let key, drafts.contains(where: \.isAnchor),
            let checkpoint = Checkpoint(origin: caseID.origin, size: head.size, root: head.digest)
        else { return nil }
        return try checkpoint.sign(with: key)
    }

    /// The entries behind `sequence`, in order.
    ///
    /// - Throws: `malformed` when a line is not one that Quell writes; ``verify(keys:notes:)`` tells all of that.
    public func entries(after sequence: UInt64 = 0) throws(Failure) -> [Entry] {
        var entries: [Entry] = []
        for row in try rows(after: sequence, topic: nil) { entries.append(try Entry(parsing: row.line)) }
        return entries
    }

    /// Whether it can only be read, because its file system cannot be written.
    var isReadOnly: Bool { database.isReadOnly }

    /// Whether there is any entry: a case whose opening never reached the disk has none.
    func hasEntries() throws(Failure) -> Bool {
        try database.read("read the journal") { database in
            guard try database.layout() > 0 else { return false }
            return try Int.fetchOne(database, sql: "SELECT 1 FROM entry LIMIT 1") != nil
        }
    }

    /// The notes about `topic`, in order, late ones included.
    ///
    /// - Throws: `malformed` when a line is not one that Quell writes.
    public func notes(about topic: String) throws(Failure) -> [Entry] {
        var entries: [Entry] = []
        for row in try rows(after: 0, topic: topic) { entries.append(try Entry(parsing: row.line)) }
        return entries
    }

    /// Walks the chain and all checkpoints, those in `notes` too: signed notes seen elsewhere, such as in a ticket. The notes
    /// beside the database are always among them, and so is what the store's source of anchors finds, such as the seals of
    /// the case's bundles (RT15). What is wrong is in the result, not thrown.
    ///
    /// - Throws: when the database cannot be read at all.
    public func verify(
        keys: [VerifyingKey]? = nil,
        notes elsewhere: [SignedNote] = []
    ) throws(Failure) -> JournalVerification {
        let beside = try notes.all()
        let trusted = keys ?? key.map { [$0.verifyingKey] } ?? []
        var walk = ChainWalk(of: caseID, keys: trusted, notes: elsewhere + beside, anchors: anchors())
        for row in try rows(after: 0, topic: nil) { walk.take(row) }
        return walk.end()
    }

    /// The entries as lines of canonical JSON, for data/journal.jsonl.
    ///
    /// - Throws: when the database cannot be read.
    public func export() throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        for row in try rows(after: 0, topic: nil) { bytes += row.line + [UInt8(ascii: "\n")] }
        return bytes
    }

    /// The newest signed note, to be repeated in seals and tickets; `nil` without a key.
    ///
    /// - Throws: when the database cannot be read.
    public func lastCheckpoint() throws(Failure) -> SignedNote? {
        let last = try entries().last { $0.kind == .checkpoint }
        guard let text = last?.body["note"]?.string else { return nil }
        return try SignedNote(parsing: text)
    }

    private func rows(after sequence: UInt64, topic: String?) throws(Failure) -> [JournalRow] {
        try database.read("read the journal") { database in
            guard try database.layout() > 0 else { return [] }
            guard try database.layout() == JournalDatabase.layout else {
                throw Failure(
                    .refused,
                    "read the journal",
                    on: self.caseID.text,
                    because: "its layout is \(try database.layout()), this Quell knows \(JournalDatabase.layout)"
                )
            }
            return try database.rows(after: sequence, topic: topic)
        }
    }
}

extension CaseID {
    /// How checkpoints name the record of this case.
    public var origin: String { "quell-case/\(text)" }
}

extension EntryDraft {
    /// Whether a checkpoint has to follow (RT15).
    fileprivate var isAnchor: Bool { kind.isAnchor(body) }
}

extension Entry {
    /// Whether a checkpoint has to follow (RT15).
    var isAnchor: Bool { kind.isAnchor(body) }

    /// Whether it is written in a commit that begins with it, or with nothing but entries like it: never behind an
    /// outcome of the same commit.
    var beginsCommit: Bool {
        switch kind {
        case .custody: true
        case .note: ["run-started", "run-resumed", "case-closed"].contains(body["topic"]?.string)
        default: false
        }
    }
}

extension Entry.Kind {
    fileprivate func isAnchor(_ body: JSONValue) -> Bool {
        switch self {
        case .outcome, .approval, .custody, .late: true
        case .note: ["capture", "case-closed"].contains(body["topic"]?.string)
        default: false
        }
    }
}

/// The last entry of a chain, or what stands before the first.
struct JournalHead {
    let size: UInt64
    let digest: Digest

    init(size: UInt64, digest: Digest) {
        self.size = size
        self.digest = digest
    }

    /// Before the first entry: the chain starts with the case's name, so no journal passes for another's.
    init(origin caseID: CaseID) {
        self.init(size: 0, digest: SHA256.digest(of: Array(caseID.origin.utf8)))
    }
}

extension Entry {
    init(_ draft: EntryDraft, after head: JournalHead) {
        self.init(draft, sequence: head.size + 1, previous: head.digest)
    }
}

/// One stored row, as it is, whatever it is.
struct JournalRow {
    let sequence: Int64
    let topic: String?
    let run: String?
    let digest: String
    let line: [UInt8]
}

extension Database {
    fileprivate func head() throws -> JournalHead? {
        let sql = "SELECT sequence, digest FROM entry ORDER BY sequence DESC LIMIT 1"
        guard let row = try Row.fetchOne(cachedStatement(sql: sql)) else { return nil }
        guard let digest = Digest(hex: row[1] as String) else {
            throw Entry.malformed("the digest of the last entry is none")
        }
        return JournalHead(size: UInt64(row[0] as Int64), digest: digest)
    }

    fileprivate func append(_ entry: Entry) throws -> JournalHead {
        let sql = "INSERT INTO entry (sequence, topic, run, digest, line) VALUES (?, ?, ?, ?, ?)"
        try cachedStatement(sql: sql).execute(arguments: [
            Int64(entry.sequence), entry.meantTopic, entry.run, entry.digest.hex,
            String(decoding: entry.line, as: UTF8.self),
        ])
        return JournalHead(size: entry.sequence, digest: entry.digest)
    }

    fileprivate func rows(after sequence: UInt64, topic: String?) throws -> [JournalRow] {
        let filter = topic == nil ? "" : "AND topic = ?"
        let sql = "SELECT sequence, topic, run, digest, line FROM entry WHERE sequence > ? \(filter) ORDER BY sequence"
        var arguments: StatementArguments = [Int64(clamping: sequence)]
        if let topic { arguments += [topic] }
        return try Row.fetchAll(self, sql: sql, arguments: arguments).map { row in
            JournalRow(
                sequence: row[0],
                topic: row[1],
                run: row[2],
                digest: row[3],
                line: Array((row[4] as String).utf8)
            )
        }
    }
}

extension Entry {
    /// The topic as it is indexed: that of the note inside for a late one.
    var meantTopic: String? { meant.kind == .note ? meant.body["topic"]?.string : nil }
}
