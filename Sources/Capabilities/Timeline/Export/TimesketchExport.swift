public import Base

/// The timeline for Timesketch: JSON lines with flat keys of stable types. Source: "Import from JSON or CSV" of the
/// Timesketch documentation: `message`, `datetime` (ISO 8601 with an offset), `timestamp` (microseconds since 1970) and
/// `timestamp_desc` are its own; the file needs at least three lines.
///
/// Timesketch asks for a message that people read, so hostile text is in it, escaped as for a terminal; `untrusted`
/// names the keys that hold it.
public enum TimesketchExport {
    private static let untrustedKeys = "message actor object detail file"
    private static let fewestLines = 3

    /// Writes a line for each event, without newlines. An event of unknown time is written at 1970 and says so: the form
    /// has no other place for it.
    ///
    /// - Throws: `system` when the store cannot be read, and what `write` throws.
    public static func write(
        _ store: EventStore,
        _ query: EventStore.Query = EventStore.Query(),
        to write: (String) throws(Failure) -> Void
    ) throws(Failure) {
        var lines = 0
        try store.forEach(query) { (row) throws(Failure) in
            lines += 1
            try write(CanonicalJSON.text(of: value(of: row)))
        }
        while lines < fewestLines {
            lines += 1
            try write(CanonicalJSON.text(of: padding(lines)))
        }
    }

    private static func value(of row: TimelineRow) -> JSONValue {
        let event = row.event
        let moment = event.time?.interval.earliest ?? Instant(nanoseconds: 0)
        var object = JSONObject()
        object["message"] = .string("\(Label.words(for: event)): \(event.actor.terminal): \(Label.text(of: event))")
        object["datetime"] = .string(isoText(moment))
        object["timestamp"] = .integer(moment.microseconds)
        object["timestamp_desc"] = .string(description(of: event))
        object["kind"] = .string(event.kind.name)
        object["verb"] = .string("\(event.verb)")
        object["writers"] = .string(event.writers.names.joined(separator: " "))
        object["precision_us"] = .integer((event.time?.precision ?? 0) / 1000)
        object["time_basis"] = .string(event.time.map { "\($0.basis)" } ?? "unknown")
        object["actor"] = .string(event.actor.terminal)
        object["object"] = .string(event.object.terminal)
        object["detail"] = .string(event.detail.terminal)
        object["file"] = .string(row.source.source.label)
        object["file_offset"] = .integer(event.citation.offset)
        object["file_length"] = .integer(event.citation.length)
        object["untrusted"] = .string(untrustedKeys)
        object["tag"] = .array(row.mark == .unclaimed ? ["unclaimed"] : [])
        return .object(object)
    }

    private static func description(of event: Event) -> String {
        guard event.time != nil else { return "Time Unknown" }
        switch event.verb {
        case .bornFile: return "Creation Time"
        case .changedFile, .deletedFile: return "Metadata Modification Time"
        case .datedFile: return "Content Modification Time"
        case .startedProcess: return "Start Time"
        default: return event.time?.basis == .neighbours ? "Time of Neighbours" : "Recorded Time"
        }
    }

    private static func padding(_ number: Int) -> JSONValue {
        [
            "message": .string("note: quell: the form needs \(fewestLines) lines, this one holds no event"),
            "datetime": .string(isoText(Instant(nanoseconds: 0))), "timestamp": 0,
            "timestamp_desc": "Not an Event", "kind": "note", "verb": "remarks", "writers": "quell",
            "precision_us": 0, "time_basis": "unknown", "actor": "quell", "object": "", "detail": "", "file": "",
            "file_offset": .integer(Int64(number)), "file_length": 0, "untrusted": .string(untrustedKeys), "tag": [],
        ]
    }

    /// Microseconds and an offset: `2026-11-22T14:20:00.000000+00:00`.
    private static func isoText(_ instant: Instant) -> String { instant.description.dropLast(4) + "+00:00" }
}

extension Instant {
    /// Microseconds since 1970, rounded down.
    fileprivate var microseconds: Int64 {
        nanoseconds / 1000 - (nanoseconds % 1000 < 0 ? 1 : 0)
    }
}
