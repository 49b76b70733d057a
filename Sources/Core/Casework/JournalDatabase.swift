import Base
import GRDB
import Glibc

/// The one file of a case: opened with WAL and synchronous FULL (a commit is on disk when it returns), its layout named
/// by `user_version` so that the hot path needs no migrator.
struct JournalDatabase: Sendable {
    private let queue: DatabaseQueue
    private let path: BytePath

    static let layout = 1

    /// Whether it can only be read, because its file system cannot be written.
    let isReadOnly: Bool

    /// Opens or makes the file, 0600 whatever the umask; one on a file system that is read-only or full is opened for
    /// reading, and writing to it fails as the file system says.
    ///
    /// A new file has nothing to lose, so it is made with one sync, that of its header, instead of seven: without a
    /// rollback journal, and with its tables in the unsynced beginning of the WAL, which the first commit of entries
    /// brings to disk. A crash before that leaves a file without tables, which is what a case without entries is. Commits
    /// to a new file are not synced until ``syncCommits()``.
    init(at path: BytePath, busyTimeout: Duration) throws(Failure) {
        self.path = path
        guard let text = path.text else {
            throw Failure(.malformed, "open the case", on: "\(path)", because: "the path is not UTF-8")
        }
        var wasThere = true
        do throws(Failure) {
            try JournalDatabase.checkWritable(path)
            let isNew = try JournalDatabase.create(path)
            wasThere = !isNew
            queue = try JournalDatabase.connect(text, isNew: isNew, busyTimeout)
            isReadOnly = false
        } catch {
            guard wasThere, error.errno == EROFS || error.errno == ENOSPC else { throw error }
            queue = try ReadOnlyDatabase(at: path, text).open(busyTimeout)
            isReadOnly = true
        }
    }

    /// SQLite would open a file that it cannot write without a word, and fail later for another reason.
    private static func checkWritable(_ path: BytePath) throws(Failure) {
        guard path.withCString({ access($0, W_OK) }) != 0, errno == EROFS else { return }
        throw Failure(errno: EROFS, "open the case", on: path)
    }

    private static func connect(_ text: String, isNew: Bool, _ busyTimeout: Duration) throws(Failure) -> DatabaseQueue {
        var configuration = JournalDatabase.configuration(busyTimeout)
        configuration.prepareDatabase { database in
            if isNew { try database.execute(sql: "PRAGMA synchronous = FULL; PRAGMA journal_mode = OFF") }
            try database.execute(sql: "PRAGMA journal_mode = WAL")
            if isNew {
                try database.execute(sql: "PRAGMA synchronous = OFF")
                try database.inTransaction(.immediate) {
                    if try database.layout() == 0 { try database.createTables() }
                    return .commit
                }
            }
            if !isNew { try database.execute(sql: "PRAGMA synchronous = FULL") }
            try database.execute(sql: "PRAGMA trusted_schema = OFF")
        }
        do {
            return try DatabaseQueue(path: text, configuration: configuration)
        } catch {
            throw failure("open the case", BytePath(text), error)
        }
    }

    static func configuration(_ busyTimeout: Duration) -> Configuration {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(busyTimeout.inMilliseconds / 1000)
        return configuration
    }

    /// From now on a commit is on disk when it returns, and with it all before it.
    func syncCommits() throws(Failure) {
        do {
            try queue.inDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        } catch {
            throw JournalDatabase.failure("open the case", path, error)
        }
    }

    /// Commits are not synced until ``syncCommits()``: for the first entries of a case, which are on disk with the next.
    func deferCommits() throws(Failure) {
        do {
            try queue.inDatabase { try $0.execute(sql: "PRAGMA synchronous = OFF") }
        } catch {
            throw JournalDatabase.failure("open the case", path, error)
        }
    }

    /// Closes it; it is not used any more.
    func shut() throws(Failure) {
        do { try queue.close() } catch { throw JournalDatabase.failure("close the case", path, error) }
    }

    /// Whether it has its tables and no entry in them.
    func isEmpty() throws(Failure) -> Bool {
        try read("open the case") { database in
            guard try database.layout() == JournalDatabase.layout else { return false }
            return try Int.fetchOne(database, sql: "SELECT 1 FROM entry LIMIT 1") == nil
        }
    }

    /// Brings everything from the WAL into the file, and both to disk. Source: https://www.sqlite.org/wal.html.
    func checkpoint() throws(Failure) {
        do {
            try queue.inDatabase { _ = try $0.checkpoint(.truncate) }
        } catch {
            throw JournalDatabase.failure("make the case", path, error)
        }
    }

    /// Makes the empty file so that SQLite, which follows the umask, never does; its other files take the same mode.
    /// Gives whether it made it.
    private static func create(_ path: BytePath) throws(Failure) -> Bool {
        let file = path.withCString { open($0, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        if file >= 0 {
            close(file)
            return true
        }
        guard errno == EEXIST else { throw Failure(errno: errno, "open the case", on: path) }
        // An existing file is not opened here: closing it again would drop the locks that another connection of this
        // process has on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
        var status = stat()
        guard path.withCString({ lstat($0, &status) }) == 0 else {
            throw Failure(errno: errno, "open the case", on: path)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.refused, "open the case", on: "\(path)", because: "it is not a regular file")
        }
        return false
    }

    /// Runs `body` in one IMMEDIATE transaction: nobody else writes between its first read and its commit.
    func write<Result>(_ attempt: String, _ body: (Database) throws -> Result) throws(Failure) -> Result {
        var result: Result?
        do {
            try queue.inTransaction(.immediate) { database in
                result = try body(database)
                return .commit
            }
        } catch {
            throw JournalDatabase.failure(attempt, path, error)
        }
        guard let result else { preconditionFailure("a committed transaction has a result") }
        return result
    }

    /// Runs `body` on one consistent view.
    func read<Result>(_ attempt: String, _ body: (Database) throws -> Result) throws(Failure) -> Result {
        do {
            return try queue.read(body)
        } catch {
            throw JournalDatabase.failure(attempt, path, error)
        }
    }

    /// The words for what SQLite says. Source: https://www.sqlite.org/rescode.html.
    static func failure(_ attempt: String, _ path: BytePath, _ error: any Error) -> Failure {
        if let failure = error as? Failure { return failure }
        let subject = String(decoding: path.bytes, as: UTF8.self)
        guard let error = error as? DatabaseError else {
            return Failure(.system, attempt, on: subject, because: "\(error)")
        }
        switch error.resultCode {
        case .SQLITE_FULL: return Failure(errno: ENOSPC, attempt, on: path)
        case .SQLITE_READONLY: return Failure(errno: EROFS, attempt, on: path)
        // The index of the WAL cannot be made, which takes 32 KiB.
        case .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_SHMSIZE:
            return Failure(errno: ENOSPC, attempt, on: path)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return Failure(.timedOut, attempt, on: subject, because: "another process holds the case locked")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return Failure(.malformed, attempt, on: subject, because: error.message ?? "not a case")
        default:
            return Failure(.system, attempt, on: subject, because: error.message ?? "\(error.resultCode)")
        }
    }
}

extension Database {
    /// 0 for a file without tables, else the layout.
    func layout() throws -> Int {
        try Int.fetchOne(self, sql: "PRAGMA user_version") ?? 0
    }

    /// Makes the tables. Entries are never altered and never removed by this program; the triggers hold us to it.
    func createTables() throws {
        try execute(
            sql: """
                CREATE TABLE entry (
                    sequence INTEGER PRIMARY KEY,
                    topic TEXT,
                    run TEXT,
                    digest TEXT NOT NULL,
                    line TEXT NOT NULL
                ) STRICT;
                CREATE INDEX entry_topic ON entry (topic) WHERE topic IS NOT NULL;
                CREATE TRIGGER entry_stays BEFORE UPDATE ON entry
                    BEGIN SELECT RAISE(ABORT, 'entries are never altered'); END;
                CREATE TRIGGER entry_remains BEFORE DELETE ON entry
                    BEGIN SELECT RAISE(ABORT, 'entries are never removed'); END;
                CREATE TRIGGER entry_follows BEFORE INSERT ON entry
                    WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM entry)
                    BEGIN SELECT RAISE(ABORT, 'entries are only appended'); END;
                PRAGMA user_version = \(JournalDatabase.layout);
                """
        )
    }
}
