import Base
import Casework

/// Makes an event of one entry of the journal: what a responder or Quell did.
enum JournalEvents {
    static func event(of entry: Entry, in citation: Citation) -> Event {
        let meant = entry.meant
        let time = EventTime(Interval(meant.time), .quellClock)
        let (kind, verb, stage) = meaning(of: meant.kind)
        var event = Event(kind, verb, by: .quell, at: time, in: citation)
        event.actor = EvidenceText(meant.actor.name)
        event.object = EvidenceText(words(of: meant.body))
        event.detail = EvidenceText(meant.step ?? "")
        event.stage = stage
        event.origin = entry.kind == .late ? EvidenceText("late") : nil
        event.isBookkeeping = meant.kind == .checkpoint
        return event
    }

    private static func meaning(of kind: Entry.Kind) -> (Event.Kind, Event.Verb, Event.Stage?) {
        switch kind {
        case .intent: (.responder, .intends, .requested)
        case .outcome: (.responder, .concludes, .executed)
        case .probe: (.responder, .probes, .observed)
        case .approval, .waiver, .custody: (.responder, .decides, .permitted)
        case .note, .checkpoint, .late: (.responder, .remarks, nil)
        }
    }

    /// The body in short: its texts and numbers by name, one level of objects opened, digests and long values cut.
    private static func words(of body: JSONValue) -> String {
        guard let members = body.object?.members else { return CanonicalJSON.text(of: body) }
        return members.map { "\($0.key) \(word(of: $0.value, depth: 0))" }.joined(separator: ", ")
    }

    private static func word(of value: JSONValue, depth: Int) -> String {
        switch value {
        case .string(let text): return text.count > 120 ? text.prefix(120) + "…" : text
        case .object(let object) where depth < 2:
            let inner = object.members.map { member in
                let word = word(of: member.value, depth: depth + 1)
                return word.isEmpty ? member.key : "\(member.key) \(word)"
            }
            return inner.joined(separator: " ")
        case .array(let elements) where depth < 2:
            return elements.prefix(4).map { word(of: $0, depth: depth + 1) }.joined(separator: " ")
                + (elements.count > 4 ? " and \(elements.count - 4) more" : "")
        default: return CanonicalJSON.text(of: value)
        }
    }
}
