import GRDB

/// The tables of a timeline. A store is a copy of what the evidence says, made anew at any time, so there is one version
/// and nothing is migrated.
enum Schema {
    static let version: Int64 = 1

    static func create(in database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
                CREATE TABLE source(
                    id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, member TEXT NOT NULL, path TEXT,
                    extent INTEGER NOT NULL DEFAULT 0, earliest INTEGER, latest INTEGER,
                    records INTEGER NOT NULL DEFAULT 0, events INTEGER NOT NULL DEFAULT 0,
                    unreadable INTEGER NOT NULL DEFAULT 0, repeated INTEGER NOT NULL DEFAULT 0,
                    unknown TEXT NOT NULL DEFAULT '{}', complete INTEGER NOT NULL DEFAULT 0, remark TEXT);
                CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
                CREATE TABLE event(
                    id INTEGER PRIMARY KEY, source INTEGER NOT NULL, sequence INTEGER NOT NULL,
                    kind INTEGER NOT NULL, verb INTEGER NOT NULL, stage INTEGER,
                    earliest INTEGER, latest INTEGER, basis INTEGER,
                    writers INTEGER NOT NULL, actor INTEGER NOT NULL, session INTEGER, origin INTEGER,
                    object TEXT NOT NULL, detail TEXT NOT NULL, call TEXT, quiet INTEGER NOT NULL,
                    offset INTEGER NOT NULL, length INTEGER NOT NULL, line INTEGER NOT NULL,
                    mark INTEGER NOT NULL DEFAULT 0, statement INTEGER,
                    seen INTEGER NOT NULL DEFAULT 0, unclaimed INTEGER NOT NULL DEFAULT 0);
                """
        )
    }

    /// Made after the load, when the rows are all there. Untimed events stand behind the timed ones.
    static func createIndexes(in database: Database) throws {
        try database.execute(
            sql: """
                CREATE INDEX event_order ON event(earliest IS NULL, earliest, source, sequence);
                CREATE INDEX event_kind ON event(kind, earliest);
                """
        )
    }

    static let insertEvent = """
        INSERT INTO event(id, source, sequence, kind, verb, stage, earliest, latest, basis, writers, actor, session, origin,
            object, detail, call, quiet, offset, length, line)
        VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
        """

    static let order = "earliest IS NULL, earliest, source, sequence"
}
