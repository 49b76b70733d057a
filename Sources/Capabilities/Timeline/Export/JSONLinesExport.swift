public import Base

/// The timeline for programs: JSON lines, versioned. What a session may have chosen stands only under the key
/// `untrusted` of each row (RT37); everything outside of it is Quell's own word or a number.
public enum JSONLinesExport {
    /// The version of the form, in the first line.
    public static let version: Int64 = 1

    /// Writes a line that names the form, a line for each source, a line for each event, without newlines.
    ///
    /// - Throws: `system` when the store cannot be read, and what `write` throws.
    public static func write(
        _ store: EventStore,
        _ query: EventStore.Query = EventStore.Query(),
        to write: (String) throws(Failure) -> Void
    ) throws(Failure) {
        var head: JSONValue = [
            "form": "quell-timeline", "version": .integer(version), "untrusted": ["untrusted"],
        ]
        if let bundle = try store.fact("bundle") { head = head.adding("bundle", .string(bundle)) }
        try write(CanonicalJSON.text(of: head))
        for source in try store.sources() { try write(CanonicalJSON.text(of: value(of: source))) }
        try store.forEach(query) { (row) throws(Failure) in try write(CanonicalJSON.text(of: value(of: row))) }
    }

    private static func value(of source: TimelineSource) -> JSONValue {
        let coverage = source.coverage
        var object = JSONObject()
        object["source"] = .integer(source.order)
        object["kind"] = .string("\(source.source.kind)")
        object["member"] = .string(source.source.member)
        object["extent"] = .string("\(coverage.extent)")
        object["earliest"] = coverage.earliest.map { .string($0.description) }
        object["latest"] = coverage.latest.map { .string($0.description) }
        object["records"] = .integer(coverage.records)
        object["events"] = .integer(coverage.events)
        object["unreadable"] = .integer(coverage.unreadable)
        object["repeated"] = .integer(coverage.repeated)
        object["complete"] = .bool(coverage.isComplete)
        var untrusted = JSONObject()
        untrusted["path"] = source.source.path.map { EvidenceText($0).json }
        untrusted["remark"] = coverage.remark.map { .string($0) }
        var types = JSONObject()
        for (type, count) in coverage.unknownTypes.sorted(by: { $0.key < $1.key }) { types[type] = .integer(count) }
        if !types.members.isEmpty { untrusted["unknownTypes"] = .object(types) }
        if !untrusted.members.isEmpty { object["untrusted"] = .object(untrusted) }
        return .object(object)
    }

    private static func value(of row: TimelineRow) -> JSONValue {
        let event = row.event
        var object = JSONObject()
        object["event"] = .integer(row.id)
        object["kind"] = .string(event.kind.name)
        object["verb"] = .string("\(event.verb)")
        object["stage"] = event.stage.map { .string("\($0)") }
        object["writers"] = .array(event.writers.names.map { .string($0) })
        if let time = event.time {
            object["earliest"] = .string(time.interval.earliest.description)
            object["latest"] = .string(time.interval.latest.description)
            object["basis"] = .string("\(time.basis)")
        }
        object["source"] = .integer(row.source.order)
        object["sequence"] = .integer(row.sequence)
        object["offset"] = .integer(event.citation.offset)
        object["length"] = .integer(event.citation.length)
        object["line"] = .integer(event.citation.line)
        if row.mark != .none { object["mark"] = .string("\(row.mark)") }
        object["statement"] = row.statement.map { .integer($0) }
        if row.seen > 0 {
            object["observedBefore"] = .integer(row.seen)
            object["unclaimedBefore"] = .integer(row.unclaimed)
        }
        object["untrusted"] = .object(untrusted(event))
        return .object(object)
    }

    private static func untrusted(_ event: Event) -> JSONObject {
        var object = JSONObject()
        object["actor"] = event.actor.isEmpty ? nil : event.actor.json
        object["session"] = event.session?.json
        object["object"] = event.object.isEmpty ? nil : event.object.json
        object["detail"] = event.detail.isEmpty ? nil : event.detail.json
        object["origin"] = event.origin?.json
        object["call"] = event.call.map { .string($0) }
        return object
    }
}

extension JSONValue {
    fileprivate func adding(_ key: String, _ value: JSONValue) -> JSONValue {
        var object = self.object ?? JSONObject()
        object[key] = value
        return .object(object)
    }
}

extension Event.Kind {
    /// The kind as DESIGN section 2 spells it.
    var name: String {
        switch self {
        case .instruction: "instruction"
        case .claimedInstruction: "claimed-instruction"
        case .testimony: "testimony"
        case .toolCall: "tool-call"
        case .toolResult: "tool-result"
        case .observation: "observation"
        case .responder: "responder"
        case .note: "note"
        }
    }
}
