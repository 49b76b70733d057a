import Base
import Logs

/// Makes events of the records of a transcript or log.
enum LogEvents {
    /// Subtypes of `system` lines by which the runtime notes what it did; every other system line may carry an order.
    private static let runtimeNotes: Set<String> = [
        "system/session_start", "system/turn_duration", "system/stop_hook_summary", "system/compact_boundary",
        "system/api_error", "system/api_refusal", "system/model_refusal_fallback", "system/error",
    ]

    /// A transcript is a file that the session could write. So may a log be, whatever its owner: a message in it can come
    /// from anyone who may send one (RT25).
    static func event(of record: Record, in source: Source) -> Event {
        let citation = Citation(offset: record.offset, length: record.length, line: record.line)
        let (kind, verb, stage, isBookkeeping) = meaning(of: record)
        let writers: Writers = source.kind == .log ? [.session, .otherUser] : .session
        var event = Event(kind, verb, by: writers, at: time(of: record), in: citation)
        event.actor = EvidenceText(actor(of: record))
        event.session = record.session.map { EvidenceText($0) }
        event.object = EvidenceText(record.text?.text ?? "")
        event.detail = EvidenceText(detail(of: record))
        event.stage = stage
        event.origin = record.origin.map { EvidenceText($0) }
        event.call = record.tool?.callID
        event.isBookkeeping = isBookkeeping
        return event
    }

    private static func meaning(of record: Record) -> (Event.Kind, Event.Verb, Event.Stage?, Bool) {
        switch record.kind {
        case .user: (.claimedInstruction, .told, .requested, false)
        case .system where runtimeNotes.contains(record.type): (.testimony, .keeps, nil, true)
        case .system: (.claimedInstruction, .told, .requested, false)
        case .assistant: (.testimony, .says, nil, false)
        case .thinking: (.testimony, .thinks, nil, false)
        case .toolUse: (.toolCall, .calls, .requested, false)
        case .toolResult: (.toolResult, .returns, record.isDenied ? .requested : .executed, false)
        case .line: (.testimony, .logged, nil, false)
        case .unreadable: (.testimony, .unreadable, nil, false)
        case .summary, .snapshot, .queueOperation, .progress, .attachment, .state, .agent, .unknown:
            (.testimony, .keeps, nil, true)
        }
    }

    static func time(of record: Record) -> EventTime? {
        guard let time = record.time else { return nil }
        let basis: EventTime.Basis =
            switch time.zone {
            case .stated: .stated
            case .assumedUTC: .assumedUTC
            case .assumedYear: .assumedYear
            }
        return EventTime(time.interval, basis)
    }

    private static func actor(of record: Record) -> String {
        let name =
            switch record.kind {
            case .user: "user"
            case .assistant, .thinking, .toolUse: "agent"
            case .toolResult: "tool"
            case .line: "log"
            default: "runtime"
            }
        guard let agent = record.agent else { return name }
        return "\(name) \(agent)"
    }

    private static func detail(of record: Record) -> String {
        switch record.kind {
        case .toolUse: record.tool?.name ?? ""
        case .toolResult where record.isDenied: "denied"
        case .toolResult where record.isError: "error"
        case .toolResult, .user, .assistant, .thinking, .line: ""
        case .unreadable: record.reason?.rawValue ?? ""
        default: record.type
        }
    }
}
