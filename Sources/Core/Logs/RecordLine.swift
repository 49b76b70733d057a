public import Base

/// How a worker tells its parent a record: one line of JSON with only known members and only bounded texts. Texts
/// stand as they are in the log; they are hostile.
public enum RecordLine {
    /// The longest line, in bytes, without its newline.
    public static let bound = 64 << 10

    /// What a line says.
    public enum Message: Hashable, Sendable {
        /// A record.
        case record(Record)
        /// The end of the file was reached; nothing follows.
        case end(ReadSummary)
    }

    /// The line of `message`, with its newline.
    public static func encode(_ message: Message) -> [UInt8] {
        let value: JSONValue
        switch message {
        case .record(let record): value = RecordLine.value(of: record)
        case .end(let summary): value = RecordLine.value(of: summary)
        }
        return CanonicalJSON.bytes(of: value) + [0x0A]
    }

    /// Reads a line without its newline.
    ///
    /// - Throws: `malformed` for anything that ``encode(_:)`` does not write: unknown or repeated members, wrong types,
    ///   texts beyond their bound, negative places.
    public static func decode(_ line: [UInt8]) throws(Failure) -> Message {
        let limits = JSONReader.Limits(bytes: bound, depth: 4)
        var fields = try Fields(try JSONReader.read(line, manner: .strict, limits: limits))
        let message: Message
        if let summary = try fields.object("end") {
            message = .end(try RecordLine.summary(from: summary))
        } else {
            message = .record(try RecordLine.record(from: &fields))
        }
        try fields.finish()
        return message
    }

    // MARK: Records

    private static func value(of record: Record) -> JSONValue {
        var object = JSONObject()
        object["offset"] = .integer(record.offset)
        object["length"] = .integer(record.length)
        object["line"] = .integer(record.line)
        if record.part != 0 { object["part"] = .integer(record.part) }
        object["kind"] = .string(record.kind.rawValue)
        object["type"] = record.type.isEmpty ? nil : .string(record.type)
        if let time = record.time {
            object["time"] = .array([
                .integer(time.interval.earliest.nanoseconds), .integer(time.interval.latest.nanoseconds),
                .string(time.zone.rawValue),
            ])
        }
        object["text"] = record.text.map { .string($0.text) }
        object["textBytes"] = record.text.map { .integer($0.totalBytes) }
        if let tool = record.tool {
            object["tool"] = .string(tool.name)
            object["call"] = tool.callID.map { .string($0) }
            object["command"] = tool.command.map { .string($0) }
            object["path"] = tool.path.map { .string($0) }
            object["input"] = .string(tool.input)
        }
        if record.isError { object["error"] = true }
        if record.isDenied { object["denied"] = true }
        object["origin"] = record.origin.map { .string($0) }
        object["session"] = record.session.map { .string($0) }
        object["agent"] = record.agent.map { .string($0) }
        if record.isSidechain { object["side"] = true }
        object["model"] = record.model.map { .string($0) }
        object["cwd"] = record.workingDirectory.map { .string($0) }
        object["id"] = record.id.map { .string($0) }
        object["parent"] = record.parent.map { .string($0) }
        object["reason"] = record.reason.map { .string($0.rawValue) }
        return .object(object)
    }

    private static func record(from fields: inout Fields) throws(Failure) -> Record {
        var record = Record(
            offset: try fields.count("offset"),
            length: try fields.count("length"),
            line: try fields.count("line"),
            kind: try fields.word("kind", as: Record.Kind.self)
        )
        record.part = try fields.optionalCount("part") ?? 0
        record.type = try fields.text("type", bound: Bound.name) ?? ""
        record.time = try fields.time("time")
        if let text = try fields.text("text", bound: Bound.text) {
            let total = try fields.count("textBytes")
            guard total >= Int64(text.utf8.count) else { throw fields.problem("textBytes is less than the text") }
            record.text = Record.Excerpt(text: text, totalBytes: total)
        }
        if let name = try fields.text("tool", bound: Bound.name) {
            var tool = Record.Tool()
            tool.name = name
            tool.callID = try fields.text("call", bound: Bound.name)
            tool.command = try fields.text("command", bound: Bound.command)
            tool.path = try fields.text("path", bound: Bound.path)
            tool.input = try fields.text("input", bound: Bound.input) ?? ""
            record.tool = tool
        }
        record.isError = try fields.flag("error")
        record.isDenied = try fields.flag("denied")
        record.origin = try fields.text("origin", bound: Bound.name)
        record.session = try fields.text("session", bound: Bound.name)
        record.agent = try fields.text("agent", bound: Bound.name)
        record.isSidechain = try fields.flag("side")
        record.model = try fields.text("model", bound: Bound.name)
        record.workingDirectory = try fields.text("cwd", bound: Bound.path)
        record.id = try fields.text("id", bound: Bound.name)
        record.parent = try fields.text("parent", bound: Bound.name)
        record.reason = try fields.optionalWord("reason", as: UnreadableReason.self)
        return record
    }

    // MARK: The end

    private static func value(of summary: ReadSummary) -> JSONValue {
        var types = JSONObject()
        for (type, count) in summary.unknownTypes.sorted(by: { $0.key < $1.key }) { types[type] = .integer(count) }
        var object = JSONObject()
        object["bytes"] = .integer(summary.bytes)
        object["lines"] = .integer(summary.lines)
        object["records"] = .integer(summary.records)
        object["unreadable"] = .integer(summary.unreadable)
        object["repeated"] = .integer(summary.repeated)
        object["blocksLeftOut"] = .integer(summary.blocksLeftOut)
        object["recordBytes"] = .integer(summary.recordBytes)
        object["blankBytes"] = .integer(summary.blankBytes)
        object["nulBytes"] = .integer(summary.nulBytes)
        object["unknownTypes"] = .object(types)
        object["earliest"] = summary.earliest.map { .integer($0.nanoseconds) }
        object["latest"] = summary.latest.map { .integer($0.nanoseconds) }
        return .object(
            {
                var end = JSONObject()
                end["end"] = .object(object)
                return end
            }()
        )
    }

    private static func summary(from object: JSONObject) throws(Failure) -> ReadSummary {
        var fields = try Fields(.object(object))
        var summary = ReadSummary()
        summary.bytes = try fields.count("bytes")
        summary.lines = try fields.count("lines")
        summary.records = try fields.count("records")
        summary.unreadable = try fields.count("unreadable")
        summary.repeated = try fields.count("repeated")
        summary.blocksLeftOut = try fields.count("blocksLeftOut")
        summary.recordBytes = try fields.count("recordBytes")
        summary.blankBytes = try fields.count("blankBytes")
        summary.nulBytes = try fields.count("nulBytes")
        var types = try Fields(.object(try fields.object("unknownTypes") ?? JSONObject()))
        for name in types.names {
            guard name.utf8.count <= Bound.name, types.names.count <= ReadSummary.distinctUnknownTypes + 1 else {
                throw fields.problem("unknownTypes is beyond its bound")
            }
            summary.unknownTypes[name] = try types.count(name)
        }
        summary.earliest = try fields.optionalNumber("earliest").map { Instant(nanoseconds: $0) }
        summary.latest = try fields.optionalNumber("latest").map { Instant(nanoseconds: $0) }
        try fields.finish()
        return summary
    }
}
