public import Base
import GRDB
import Glibc

/// The events of one bundle in one SQLite file. It is a copy of the evidence for looking things up, never evidence: it
/// can be deleted and made anew at any time, with the same rows in the same order.
public struct EventStore: Sendable {
    /// Which events are wanted.
    public struct Query: Sendable {
        /// Only events that may have happened at or after this moment.
        public var since: Instant?
        /// Only events that may have happened at or before this moment.
        public var until: Instant?
        /// Only events of these kinds; empty for all.
        public var kinds: Set<Event.Kind> = []
        /// At most so many; `nil` for all.
        public var limit: Int?
        /// Whether state of the runtime, checkpoints and the like are wanted too.
        public var includesBookkeeping = false

        /// Everything but bookkeeping.
        public init() {}
    }

    /// Where the file is.
    public let path: BytePath
    private let queue: DatabaseQueue

    /// Opens a store to read.
    ///
    /// - Throws: `notFound` when there is none, `malformed` when the file is no timeline of this version.
    public init(opening path: BytePath) throws(Failure) {
        self.path = path
        var configuration = Configuration()
        configuration.readonly = true
        configuration.prepareDatabase { database in try database.execute(sql: "PRAGMA trusted_schema = OFF") }
        guard path.withCString({ access($0, F_OK) }) == 0 else {
            throw Failure(errno: errno, "open the timeline", on: path, hint: "quell timeline")
        }
        do {
            queue = try DatabaseQueue(path: try EventStore.text(of: path), configuration: configuration)
            let version = try queue.read { database in
                try String.fetchOne(database, sql: "SELECT value FROM facts WHERE name = 'version'")
            }
            guard version == String(Schema.version) else {
                throw Failure(.malformed, "open the timeline", on: "\(path)", because: "it has another version")
            }
        } catch {
            throw EventStore.failure(of: error, "open the timeline", path)
        }
    }

    /// Makes a store: loads it into a fresh file beside `path` and renames that when everything is in it, so that `path`
    /// is always whole. What a crash left of an earlier try is written over.
    ///
    /// - Throws: what `load` throws, and `system` when the file cannot be written.
    static func create(
        at path: BytePath,
        facts: [String: String],
        _ load: (EventLoader) throws -> Void
    ) throws(Failure) -> EventStore {
        let draft = BytePath(path.bytes + Array(".building".utf8))
        try makeEmpty(draft)
        do {
            var configuration = Configuration()
            configuration.prepareDatabase { database in
                try database.execute(sql: "PRAGMA journal_mode = OFF")
                try database.execute(sql: "PRAGMA synchronous = OFF")
            }
            let queue = try DatabaseQueue(path: try text(of: draft), configuration: configuration)
            try queue.inTransaction(.exclusive) { database in
                try Schema.create(in: database)
                try load(try EventLoader(database))
                try Schema.createIndexes(in: database)
                try Reconciliation.run(in: database)
                let all = facts.merging(["version": String(Schema.version)]) { _, version in version }
                for (name, value) in all.sorted(by: { $0.key < $1.key }) {
                    try database.execute(sql: "INSERT INTO facts VALUES (?,?)", arguments: [name, value])
                }
                return .commit
            }
            try queue.close()
        } catch {
            _ = draft.withCString { unlink($0) }
            throw failure(of: error, "make the timeline", path)
        }
        try publish(draft, as: path)
        return try EventStore(opening: path)
    }

    // MARK: Reading

    /// Hands the rows that `query` wants to `body`, in the one order that a timeline has: by the earliest possible time,
    /// then by source, then by place in the source; events of unknown time last.
    ///
    /// - Throws: `system` when the file cannot be read, and what `body` throws.
    public func forEach(
        _ query: Query = Query(),
        _ body: (TimelineRow) throws(Failure) -> Void
    ) throws(Failure) {
        let sources = try self.sources()
        do {
            try queue.read { database in
                let statement = try database.makeStatement(sql: RowReading.select(query))
                let rows = try Row.fetchCursor(statement, arguments: RowReading.arguments(query))
                while let row = try rows.next() { try body(try RowReading.row(row, sources)) }
            }
        } catch {
            throw EventStore.failure(of: error, "read the timeline", path)
        }
    }

    /// How many events `query` wants, its limit aside.
    ///
    /// - Throws: `system` when the file cannot be read.
    public func count(_ query: Query = Query()) throws(Failure) -> Int64 {
        do {
            return try queue.read { database in
                try Int64.fetchOne(
                    database,
                    sql: RowReading.count(query),
                    arguments: RowReading.arguments(query)
                ) ?? 0
            }
        } catch {
            throw EventStore.failure(of: error, "read the timeline", path)
        }
    }

    /// The sources in their order, with what each recorded.
    ///
    /// - Throws: `system` when the file cannot be read, `malformed` when it holds what no build writes.
    public func sources() throws(Failure) -> [TimelineSource] {
        do {
            return try queue.read { database in
                try Row.fetchAll(database, sql: "SELECT * FROM source ORDER BY id").map { try RowReading.source($0) }
            }
        } catch {
            throw EventStore.failure(of: error, "read the timeline's sources", path)
        }
    }

    /// When the story begins: the earliest time in a transcript; `nil` without transcripts. What the file system knew of
    /// earlier days lies before it.
    ///
    /// - Throws: as ``sources()``.
    public func storyStart() throws(Failure) -> Instant? {
        try sources().filter { $0.source.kind == .transcript }.compactMap(\.coverage.earliest).min()
    }

    /// A fact of the build, such as `bundle`, the root digest of the bundle it was made from.
    ///
    /// - Throws: `system` when the file cannot be read.
    public func fact(_ name: String) throws(Failure) -> String? {
        do {
            return try queue.read { database in
                try String.fetchOne(database, sql: "SELECT value FROM facts WHERE name = ?", arguments: [name])
            }
        } catch {
            throw EventStore.failure(of: error, "read the timeline", path)
        }
    }

    // MARK: Files

    private static func makeEmpty(_ path: BytePath) throws(Failure) {
        _ = path.withCString { unlink($0) }
        let file = path.withCString { open($0, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        guard file >= 0 else { throw Failure(errno: errno, "make the timeline", on: path) }
        close(file)
    }

    private static func publish(_ draft: BytePath, as path: BytePath) throws(Failure) {
        let file = draft.withCString { open($0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) }
        guard file >= 0 else { throw Failure(errno: errno, "make the timeline", on: draft) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw Failure(errno: errno, "make the timeline durable", on: draft) }
        let renamed = draft.withCString { old in path.withCString { new in rename(old, new) } }
        guard renamed == 0 else { throw Failure(errno: errno, "put the timeline in its place", on: path) }
    }

    private static func text(of path: BytePath) throws(Failure) -> String {
        guard let text = path.text else {
            throw Failure(.malformed, "open the timeline", on: "\(path)", because: "the path is not UTF-8")
        }
        return text
    }

    private static func failure(of error: any Error, _ attempt: String, _ path: BytePath) -> Failure {
        if let failure = error as? Failure { return failure }
        return Failure(.system, attempt, on: String(decoding: path.bytes, as: UTF8.self), because: "\(error)")
    }
}
