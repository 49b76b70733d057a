import Base
import GRDB

/// Writes events into a fresh store, source by source, in constant memory. Sources get their numbers in the order in
/// which they are opened, events within a source in the order in which they are appended: the two decide the order of
/// events at equal times.
final class EventLoader {
    private let database: Database
    private let insert: Statement
    private let insertWord: Statement
    private let selectWord: Statement
    private let bound: Statement
    private var words: [String: Int64] = [:]
    private var sources: Int64 = 0
    private var events: Int64 = 0
    private var sequence: Int64 = 0
    private var lastEarliest: Int64?
    private var firstUnbound: Int64?

    init(_ database: Database) throws {
        self.database = database
        insert = try database.makeStatement(sql: Schema.insertEvent)
        insertWord = try database.makeStatement(sql: "INSERT OR IGNORE INTO word(text) VALUES (?)")
        selectWord = try database.makeStatement(sql: "SELECT id FROM word WHERE text = ?")
        bound = try database.makeStatement(
            sql: "UPDATE event SET earliest = coalesce(earliest, ?), latest = ?, basis = ? WHERE id BETWEEN ? AND ?"
        )
    }

    /// Loads one source: `body` appends its events and gives its coverage.
    ///
    /// - Parameter notAfter: the moment by which everything in the source had been written.
    func load(
        _ source: Source,
        notAfter: Instant?,
        _ body: (EventLoader) throws(Failure) -> Coverage
    ) throws(Failure) {
        do {
            try open(source)
            let coverage = try body(self)
            if let lastEarliest { try bindPending(through: events, before: lastEarliest, notAfter?.nanoseconds) }
            try write(coverage)
        } catch {
            throw EventLoader.failure(of: error)
        }
    }

    /// Adds one event to the open source.
    func append(_ event: Event) throws(Failure) {
        do {
            try insertRow(event)
        } catch {
            throw EventLoader.failure(of: error)
        }
    }

    private static func failure(of error: any Error) -> Failure {
        if let failure = error as? Failure { return failure }
        return Failure(.system, "load the timeline", on: "its store", because: "\(error)")
    }

    private func open(_ source: Source) throws {
        sources += 1
        sequence = 0
        lastEarliest = nil
        firstUnbound = nil
        try database.execute(
            sql: "INSERT INTO source(id, kind, member, path) VALUES (?,?,?,?)",
            arguments: [
                sources, source.kind.rawValue, source.member, source.path.map { EvidenceText($0).stored },
            ]
        )
    }

    private func insertRow(_ event: Event) throws {
        sequence += 1
        events += 1
        let interval = event.time?.interval
        if let interval {
            try bindPending(
                through: events - 1,
                before: interval.earliest.nanoseconds,
                interval.latest.nanoseconds
            )
            lastEarliest = interval.earliest.nanoseconds
        } else if firstUnbound == nil {
            firstUnbound = events
        }
        try insert.execute(arguments: [
            events, sources, sequence, event.kind.rawValue, event.verb.rawValue, event.stage?.rawValue,
            interval?.earliest.nanoseconds ?? lastEarliest, interval?.latest.nanoseconds, event.time?.basis.rawValue,
            event.writers.rawValue, try word(event.actor), try event.session.map { try word($0) },
            try event.origin.map { try word($0) }, event.object.stored, event.detail.stored,
            event.call.map { EvidenceText($0).stored }, event.isBookkeeping, event.citation.offset,
            event.citation.length, event.citation.line,
        ])
    }

    /// Gives the events since the last timed one, which have no time of their own, the span between their neighbours in
    /// the source. A source whose times run backwards gives a point.
    private func bindPending(through last: Int64, before earliest: Int64, _ latest: Int64?) throws {
        guard let first = firstUnbound else { return }
        let start = lastEarliest ?? earliest
        let end = max(start, latest ?? start)
        try bound.execute(arguments: [start, end, EventTime.Basis.neighbours.rawValue, first, last])
        firstUnbound = nil
    }

    private func write(_ coverage: Coverage) throws {
        var unknown = JSONObject()
        for (type, count) in coverage.unknownTypes.sorted(by: { $0.key < $1.key }) { unknown[type] = .integer(count) }
        try database.execute(
            sql: """
                UPDATE source SET extent = ?, earliest = ?, latest = ?, records = ?, events = ?, unreadable = ?,
                    repeated = ?, unknown = ?, complete = ?, remark = ? WHERE id = ?
                """,
            arguments: [
                coverage.extent.rawValue, coverage.earliest?.nanoseconds, coverage.latest?.nanoseconds,
                coverage.records, sequence, coverage.unreadable, coverage.repeated,
                CanonicalJSON.text(of: .object(unknown)), coverage.isComplete, coverage.remark, sources,
            ]
        )
    }

    /// The dictionary's number of a text; the newest are remembered, the rest is looked up.
    private func word(_ text: EvidenceText) throws -> Int64 {
        let stored = text.stored
        if let id = words[stored] { return id }
        try insertWord.execute(arguments: [stored])
        guard let id = try Int64.fetchOne(selectWord, arguments: [stored]) else {
            throw Failure(.system, "load the timeline", on: "its dictionary", because: "a word was not kept")
        }
        if words.count >= 50_000 { words.removeAll() }
        words[stored] = id
        return id
    }
}
