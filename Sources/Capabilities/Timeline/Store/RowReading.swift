import Base
import GRDB

/// Turns queries into SQL and rows into events. A store is checked as it is read: a number outside of a vocabulary is a
/// failure, not a guess.
enum RowReading {
    private static func condition(_ query: EventStore.Query) -> String {
        var parts: [String] = []
        if query.since != nil { parts.append("(latest IS NULL OR latest >= :since)") }
        if query.until != nil { parts.append("(earliest IS NULL OR earliest <= :until)") }
        if !query.kinds.isEmpty {
            parts.append("kind IN (\(query.kinds.map { String($0.rawValue) }.sorted().joined(separator: ",")))")
        }
        if !query.includesBookkeeping { parts.append("quiet = 0") }
        return parts.isEmpty ? "" : "WHERE " + parts.joined(separator: " AND ")
    }

    static func select(_ query: EventStore.Query) -> String {
        let limit = query.limit.map { "LIMIT \(max(0, $0))" } ?? ""
        return """
            SELECT event.*, (SELECT text FROM word WHERE id = actor) AS actorText,
                (SELECT text FROM word WHERE id = session) AS sessionText,
                (SELECT text FROM word WHERE id = origin) AS originText
            FROM event \(condition(query)) ORDER BY \(Schema.order) \(limit)
            """
    }

    static func count(_ query: EventStore.Query) -> String { "SELECT count(*) FROM event \(condition(query))" }

    static func arguments(_ query: EventStore.Query) -> StatementArguments {
        var arguments: [String: (any DatabaseValueConvertible)?] = [:]
        if let since = query.since { arguments["since"] = since.nanoseconds }
        if let until = query.until { arguments["until"] = until.nanoseconds }
        return StatementArguments(arguments)
    }

    static func row(_ row: Row, _ sources: [TimelineSource]) throws -> TimelineRow {
        let order: Int64 = row["source"]
        guard sources.indices.contains(Int(order) - 1) else { throw malformed("an event of no source") }
        guard
            let kind = Event.Kind(rawValue: row["kind"]), let verb = Event.Verb(rawValue: row["verb"]),
            let mark = TimelineRow.Mark(rawValue: row["mark"])
        else { throw malformed("an event of no known kind") }
        let citation = Citation(offset: row["offset"], length: row["length"], line: row["line"])
        let writers = Writers(rawValue: row["writers"])
        var event = Event(kind, verb, by: writers, at: try time(row), in: citation)
        guard event.kind == kind else { throw malformed("an event of a kind that its writers cannot write") }
        event.actor = text(row["actorText"]) ?? EvidenceText("")
        event.session = text(row["sessionText"])
        event.origin = text(row["originText"])
        event.object = text(row["object"]) ?? EvidenceText("")
        event.detail = text(row["detail"]) ?? EvidenceText("")
        event.call = text(row["call"]).map { String(decoding: $0.bytes, as: UTF8.self) }
        event.stage = (row["stage"] as Int64?).flatMap { Event.Stage(rawValue: $0) }
        event.isBookkeeping = row["quiet"]
        return TimelineRow(
            id: row["id"],
            event: event,
            source: sources[Int(order) - 1],
            sequence: row["sequence"],
            mark: mark,
            statement: row["statement"],
            seen: row["seen"],
            unclaimed: row["unclaimed"]
        )
    }

    private static func time(_ row: Row) throws -> EventTime? {
        guard let earliest = row["earliest"] as Int64? else { return nil }
        guard
            let latest = row["latest"] as Int64?,
            let basis = (row["basis"] as Int64?).flatMap({ EventTime.Basis(rawValue: $0) })
        else { throw malformed("half a time") }
        return EventTime(Interval(Instant(nanoseconds: earliest), Instant(nanoseconds: latest)), basis)
    }

    static func source(_ row: Row) throws -> TimelineSource {
        guard
            let kind = Source.Kind(rawValue: row["kind"]), let extent = Coverage.Extent(rawValue: row["extent"])
        else { throw malformed("a source of no known kind") }
        var coverage = Coverage(extent)
        coverage.earliest = (row["earliest"] as Int64?).map { Instant(nanoseconds: $0) }
        coverage.latest = (row["latest"] as Int64?).map { Instant(nanoseconds: $0) }
        coverage.records = row["records"]
        coverage.events = row["events"]
        coverage.unreadable = row["unreadable"]
        coverage.repeated = row["repeated"]
        coverage.isComplete = row["complete"]
        coverage.remark = row["remark"]
        let unknown = try JSONReader.read(Array((row["unknown"] as String).utf8))
        for member in unknown.object?.members ?? [] {
            coverage.unknownTypes[member.key] = member.value.integer ?? 0
        }
        let path = text(row["path"]).map { BytePath($0.bytes) }
        let source = Source(kind, member: row["member"], path: path)
        return TimelineSource(order: row["id"], source: source, coverage: coverage)
    }

    private static func text(_ stored: String?) -> EvidenceText? { stored.map { EvidenceText(stored: $0) } }

    private static func malformed(_ reason: String) -> Failure {
        Failure(.malformed, "read the timeline", on: "its store", because: reason)
    }
}
