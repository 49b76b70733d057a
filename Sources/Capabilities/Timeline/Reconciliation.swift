import Base
import GRDB

/// Compares what the agent asked for with what was observed, in one pass over the store in the order of time.
///
/// An observation is *claimed* when a tool call whose window it lies in names it, else *unclaimed*. A statement of the
/// agent stands beside the observations since the statement before it. Both are lists to look at, no verdicts: shell
/// commands are not parsed, children of a named program are not named, and the calls are the session's own word.
enum Reconciliation {
    /// How long a call without a result counts as running, and how long any call does at most.
    private static let openCall: Int64 = 120 * second
    private static let longestCall: Int64 = 3600 * second
    /// How far the clocks of transcript and kernel, and their precision, may lie apart.
    private static let before: Int64 = 1 * second
    private static let after: Int64 = 2 * second
    /// How many calls are compared with one observation, the newest first.
    private static let parallelCalls = 64

    private static let second: Int64 = 1_000_000_000

    static func run(in database: Database) throws {
        guard
            let start = try Int64.fetchOne(
                database,
                sql: "SELECT min(earliest) FROM source WHERE kind = ?",
                arguments: [Source.Kind.transcript.rawValue]
            )
        else { return }
        try closeCalls(in: database)
        try compare(in: database, since: start)
        try database.execute(
            sql: """
                UPDATE event SET seen = total, unclaimed = alone FROM (
                    SELECT statement.event AS id, count(*) AS total, sum(seen.unclaimed) AS alone
                    FROM temp.seen JOIN temp.statement USING (round) GROUP BY round) AS told
                WHERE event.id = told.id;
                UPDATE event SET mark = 1 + found.unclaimed, statement = found.statement FROM (
                    SELECT seen.event AS id, seen.unclaimed, statement.event AS statement
                    FROM temp.seen LEFT JOIN temp.statement USING (round)) AS found
                WHERE event.id = found.id;
                DROP TABLE temp.seen;
                DROP TABLE temp.statement;
                DROP TABLE temp.call;
                """
        )
    }

    /// The window of each call: until its result, or a default.
    private static func closeCalls(in database: Database) throws {
        try database.execute(
            sql: """
                CREATE TEMP TABLE call(
                    source INTEGER, name TEXT, opened INTEGER, closed INTEGER, object TEXT, detail TEXT);
                CREATE TEMP TABLE result(source INTEGER, name TEXT, time INTEGER, PRIMARY KEY(source, name))
                    WITHOUT ROWID;
                """
        )
        try database.execute(
            sql: """
                INSERT INTO temp.result SELECT source, call, max(latest) FROM event
                WHERE kind = ? AND call IS NOT NULL AND latest IS NOT NULL GROUP BY source, call
                """,
            arguments: [Event.Kind.toolResult.rawValue]
        )
        try database.execute(
            sql: """
                INSERT INTO temp.call SELECT event.source, event.call, event.earliest - :before,
                    min(coalesce(max(result.time, event.latest), event.latest + :open), event.latest + :longest) + :after,
                    event.object, event.detail
                FROM event LEFT JOIN temp.result ON result.source = event.source AND result.name = event.call
                WHERE event.kind = :kind AND event.earliest IS NOT NULL
                    AND event.earliest > -9000000000000000000 AND event.latest < 9000000000000000000
                ORDER BY event.earliest, event.source, event.sequence
                """,
            arguments: [
                "before": before, "open": openCall, "longest": longestCall, "after": after,
                "kind": Event.Kind.toolCall.rawValue,
            ]
        )
        try database.execute(
            sql: """
                DROP TABLE temp.result;
                CREATE TEMP TABLE seen(event INTEGER PRIMARY KEY, round INTEGER NOT NULL, unclaimed INTEGER NOT NULL);
                CREATE TEMP TABLE statement(round INTEGER PRIMARY KEY, event INTEGER NOT NULL);
                """
        )
    }

    /// Walks observations and statements in the order of time with the calls that are running.
    private static func compare(in database: Database, since start: Int64) throws {
        let calls = try Row.fetchCursor(database, sql: "SELECT * FROM temp.call ORDER BY rowid")
        let events = try Row.fetchCursor(
            database,
            sql: """
                SELECT id, kind, verb, earliest, object, detail FROM event
                WHERE earliest IS NOT NULL AND latest >= ? AND quiet = 0 AND (kind = ? OR (kind = ? AND verb = ?))
                ORDER BY \(Schema.order)
                """,
            arguments: [
                start, Event.Kind.observation.rawValue, Event.Kind.testimony.rawValue, Event.Verb.says.rawValue,
            ]
        )
        let insert = try database.makeStatement(sql: "INSERT INTO temp.seen VALUES (?, ?, ?)")
        let speak = try database.makeStatement(sql: "INSERT INTO temp.statement VALUES (?, ?)")
        var round: Int64 = 0
        var running: [RunningCall] = []
        var next = try calls.next().map { RunningCall($0) }
        while let row = try events.next() {
            let time: Int64 = row["earliest"]
            let id: Int64 = row["id"]
            guard row["kind"] == Event.Kind.observation.rawValue else {
                try speak.execute(arguments: [round, id])
                round += 1
                continue
            }
            while let call = next, call.opened <= time {
                running.append(call)
                next = try calls.next().map { RunningCall($0) }
            }
            running.removeAll { $0.closed < time }
            if running.count > parallelCalls { running.removeFirst(running.count - parallelCalls) }
            let seen = Observed(row)
            try insert.execute(arguments: [id, round, !running.contains { seen.isNamed(by: $0) }])
        }
    }
}

/// A tool call that may still be running.
struct RunningCall {
    let opened: Int64
    let closed: Int64
    /// The command, the path or the input.
    let words: [UInt8]

    init(opened: Int64, closed: Int64, words: [UInt8]) {
        self.opened = opened
        self.closed = closed
        self.words = words
    }

    init(_ row: Row) {
        self.init(opened: row["opened"], closed: row["closed"], words: EvidenceText(stored: row["object"]).bytes)
    }
}

/// An observation, as far as a call can name it.
struct Observed {
    private let names: [[UInt8]]
    private let arguments: [UInt8]

    init(isProcess: Bool, object: [UInt8], detail: [UInt8]) {
        arguments = isProcess ? detail : []
        let program = BytePath(object).lastComponent.bytes
        guard isProcess, !detail.isEmpty else {
            names = [program]
            return
        }
        // The program as it was called (`python3`, not `python3.11`) and what it was called on, options aside.
        let words = detail.split(separator: 0x20).map { BytePath($0) }
        let operands = words.dropFirst().filter { $0.bytes.first != UInt8(ascii: "-") }.prefix(3)
        names = (words.prefix(1) + operands).map(\.lastComponent.bytes)
    }

    init(_ row: Row) {
        self.init(
            isProcess: row["verb"] == Event.Verb.startedProcess.rawValue,
            object: EvidenceText(stored: row["object"]).bytes,
            detail: EvidenceText(stored: row["detail"]).bytes
        )
    }

    /// Whether every name stands in the call as a word, or the call stands whole in the arguments (`sh -c COMMAND`).
    func isNamed(by call: RunningCall) -> Bool {
        if !call.words.isEmpty, !arguments.isEmpty, arguments.firstRange(of: call.words) != nil { return true }
        return !names.isEmpty && names.allSatisfy { call.names($0) }
    }
}

extension RunningCall {
    /// Whether `name` stands in the call with no letter, digit or `_` beside it.
    fileprivate func names(_ name: [UInt8]) -> Bool {
        guard !name.isEmpty else { return false }
        var rest = words[...]
        while let found = rest.firstRange(of: name) {
            let isBegun = found.lowerBound > 0 && words[found.lowerBound - 1].isOfWord
            let goesOn = found.upperBound < words.count && words[found.upperBound].isOfWord
            if !isBegun, !goesOn { return true }
            rest = words[(found.lowerBound + 1)...]
        }
        return false
    }
}

extension UInt8 {
    fileprivate var isOfWord: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self) || self == 0x5F
            || self >= 0x80
    }
}
