import Base

/// Makes records of one JSON object of a Claude Code transcript, by its `type`. What a field means:
/// docs/design/formats of the runtime change weekly, so every member is optional here and an unknown type is a record.
enum ClaudeCodeRecord {
    private static let stateTypes: Set<String> = [
        "permission-mode", "mode", "worktree-state", "relocated", "pr-link", "frame-link", "bridge-session",
        "custom-title", "ai-title", "agent-name", "last-prompt", "started", "result", "atis-latch",
    ]

    /// The records of one object, of a message's blocks at most `limit`.
    static func records(of value: JSONValue, from blank: Record, limit: Int) -> [Record] {
        var envelope = blank
        let type = value.name("type")
        envelope.type = type ?? (value.object == nil ? "(no object)" : "(none)")
        addEnvelope(of: value, to: &envelope)
        switch type {
        case "user": return message(value, envelope, speaker: .user, limit)
        case "assistant": return message(value, envelope, speaker: .assistant, limit)
        case "system": return [system(value, envelope)]
        case "summary": return [simple(.summary, value["summary"]?.string, envelope)]
        case "file-history-snapshot": return [simple(.snapshot, nil, envelope)]
        case "queue-operation":
            return [subtyped(.queueOperation, value.name("operation"), value["content"]?.string, envelope)]
        case "progress":
            let data = value["data"]
            return [subtyped(.progress, data?.name("type"), data?["command"]?.string ?? data?.digest(), envelope)]
        case "attachment":
            let attachment = value["attachment"]
            return [subtyped(.attachment, attachment?.name("type"), attachment?.digest(bound: Bound.text), envelope)]
        case let known? where stateTypes.contains(known): return [simple(.state, value.digest(), envelope)]
        default: return [simple(.unknown, value.digest(), envelope)]
        }
    }

    private static func addEnvelope(of value: JSONValue, to record: inout Record) {
        record.time = LogTime.read(text: value["timestamp"]?.string)
        record.session = value.name("sessionId")
        record.agent = value.name("agentId")
        record.isSidechain = value["isSidechain"]?.bool ?? false
        record.workingDirectory = value.name("cwd", bound: Bound.path)
        record.id = value.name("uuid")
        record.parent = value.name("parentUuid") ?? value.name("logicalParentUuid")
        record.model = value["message"]?.name("model")
    }

    // MARK: Messages

    /// How many blocks a message has; 0 when its content is no list.
    static func blockCount(of value: JSONValue) -> Int { content(of: value)?.array?.count ?? 0 }

    private static func content(of value: JSONValue) -> JSONValue? { value["message"]?["content"] ?? value["message"] }

    private static func message(
        _ value: JSONValue,
        _ envelope: Record,
        speaker: Record.Kind,
        _ limit: Int
    ) -> [Record] {
        var speech = envelope
        speech.kind = speaker
        if speaker == .user { speech.origin = origin(of: value) }
        if value["isApiErrorMessage"]?.bool == true { speech.isError = true }
        switch content(of: value) {
        case .string(let text): return [simple(speaker, text, speech)]
        case .array(let blocks):
            let records = blocks.prefix(limit).enumerated().map { index, block in
                var record = self.block(block, value, speech)
                record.part = Int64(index)
                return record
            }
            return records.isEmpty ? [speech] : records
        default: return [simple(speaker, value["message"]?.digest(), speech)]
        }
    }

    private static func block(_ block: JSONValue, _ line: JSONValue, _ speech: Record) -> Record {
        let type = block.name("type")
        switch type {
        case "text": return simple(speech.kind, block["text"]?.string, speech)
        case "thinking", "redacted_thinking": return subtyped(.thinking, type, block["thinking"]?.string, speech)
        case "tool_use", "server_tool_use", "mcp_tool_use": return toolUse(block, speech)
        case let result? where result.hasSuffix("tool_result"): return toolResult(block, line, speech)
        default:
            let text = block.string ?? (type == "image" || type == "document" ? "[\(type ?? "")]" : block.digest())
            return subtyped(speech.kind, type, text, speech)
        }
    }

    private static func toolUse(_ block: JSONValue, _ speech: Record) -> Record {
        let input = block["input"] ?? .null
        var tool = Record.Tool()
        tool.name = block.name("name") ?? ""
        tool.callID = block.name("id")
        tool.command = input.name("command", bound: Bound.command)
        tool.path = ["file_path", "notebook_path", "path"].lazy.compactMap { input.name($0, bound: Bound.path) }.first
        tool.input = input.digest()
        var record = subtyped(.toolUse, block.name("type"), tool.command ?? tool.path ?? tool.input, speech)
        record.tool = tool
        return record
    }

    private static func toolResult(_ block: JSONValue, _ line: JSONValue, _ speech: Record) -> Record {
        var record = subtyped(.toolResult, block.name("type"), resultText(block["content"] ?? block["text"]), speech)
        var tool = Record.Tool()
        tool.callID = block.name("tool_use_id") ?? line.name("sourceToolUseID")
        record.tool = tool
        record.isError = block["is_error"]?.bool ?? false
        record.isDenied = line["toolDenialKind"] != nil
        record.origin = nil
        return record
    }

    private static func resultText(_ content: JSONValue?) -> String? {
        guard case .array(let blocks) = content else { return content?.string ?? content?.digest() }
        return blocks.prefix(8).map { $0["text"]?.string ?? $0.string ?? "[\($0.name("type") ?? "block")]" }
            .joined(separator: "\n")
    }

    /// Where a user line's text came from, by its own word. Only `human` claims a person.
    private static func origin(of value: JSONValue) -> String? {
        if value["isCompactSummary"]?.bool == true { return "compact-summary" }
        if value["isMeta"]?.bool == true { return "meta" }
        return value["origin"]?.name("kind") ?? value.name("promptSource") ?? value.name("userType")
    }

    // MARK: Other lines

    private static func system(_ value: JSONValue, _ envelope: Record) -> Record {
        let text = value["content"]?.string ?? value["error"]?.digest() ?? value["message"]?["content"]?.string
        var record = subtyped(.system, value.name("subtype"), text, envelope)
        record.isError = value.name("level") == "error" || (value["error"]?.object != nil)
        return record
    }

    private static func simple(_ kind: Record.Kind, _ text: String?, _ envelope: Record) -> Record {
        var record = envelope
        record.kind = kind
        record.text = Record.Excerpt(of: text)
        return record
    }

    private static func subtyped(
        _ kind: Record.Kind,
        _ subtype: String?,
        _ text: String?,
        _ envelope: Record
    ) -> Record {
        var record = simple(kind, text, envelope)
        if let subtype { record.type = (record.type + "/" + subtype).beginning(of: Bound.name) }
        return record
    }
}
