import Base
import Casework

/// Makes an event of each entry of the journal, in its order: what a responder or Quell did. An outcome names only the
/// number of its effect, so the words of intents are kept until then.
struct JournalEvents {
    /// The longest rendering of one member of a body, in characters.
    private static let wordBound = 160

    private struct EffectID: Hashable {
        let run: String?
        let step: String?
        let number: Int64
    }

    private var begun: [EffectID: String] = [:]

    mutating func event(of entry: Entry, in citation: Citation) -> Event {
        let meant = entry.meant
        let time = EventTime(Interval(meant.time), .quellClock)
        let (verb, stage) = JournalEvents.meaning(of: meant.kind)
        var event = Event(.responder, verb, by: .quell, at: time, in: citation)
        event.actor = EvidenceText(meant.actor.name)
        event.object = EvidenceText(words(of: meant))
        event.detail = EvidenceText(meant.step ?? "")
        event.stage = stage
        event.origin = entry.kind == .late ? EvidenceText("late") : nil
        event.isBookkeeping = meant.kind == .checkpoint
        return event
    }

    private static func meaning(of kind: Entry.Kind) -> (Event.Verb, Event.Stage?) {
        switch kind {
        case .intent: (.intends, .requested)
        case .outcome: (.concludes, .executed)
        case .probe: (.probes, .observed)
        case .approval, .waiver, .custody: (.decides, .permitted)
        case .note, .checkpoint, .late: (.remarks, nil)
        }
    }

    private mutating func words(of draft: EntryDraft) -> String {
        let body = draft.body
        switch draft.kind {
        case .intent:
            let words = body["what"].map { JournalEvents.word(of: $0, depth: 0) } ?? JournalEvents.members(of: body)
            if let number = body["effect"]?.integer {
                begun[EffectID(run: draft.run, step: draft.step, number: number)] = words
            }
            return words
        case .outcome, .probe:
            let number = body["effect"]?.integer ?? -1
            let effect = begun[EffectID(run: draft.run, step: draft.step, number: number)]
            return [effect, JournalEvents.members(of: body, without: ["effect", "what"])].compactMap { $0 }
                .filter { !$0.isEmpty }.joined(separator: ": ")
        case .note:
            let rest = JournalEvents.members(of: body, without: ["topic", "graph"])
            return [body["topic"]?.string ?? "", rest].filter { !$0.isEmpty }.joined(separator: ": ")
        case .approval, .waiver, .custody, .checkpoint, .late:
            return "\(draft.kind.rawValue): \(JournalEvents.members(of: body))"
        }
    }

    // MARK: Bodies in short

    /// The members by name, without the empty ones.
    private static func members(of body: JSONValue, without left: Set<String> = []) -> String {
        guard let members = body.object?.members else { return word(of: body, depth: 0) }
        return members.filter { !left.contains($0.key) }.compactMap { member in
            let word = word(of: member.value, depth: 0)
            return word.isEmpty ? nil : "\(member.key) \(word)"
        }
        .joined(separator: ", ")
    }

    private static func word(of value: JSONValue, depth: Int) -> String {
        let whole: String
        switch value {
        case .string(let text): whole = text
        case .object(let object) where depth < 4:
            whole = object.members.map { member in
                let inner = word(of: member.value, depth: depth + 1)
                return inner.isEmpty ? member.key : "\(member.key) \(inner)"
            }
            .joined(separator: ", ")
        case .array(let elements) where depth < 4:
            let shown = elements.prefix(4).map { word(of: $0, depth: depth + 1) }.joined(separator: " ")
            whole = elements.count > 4 ? "\(shown) and \(elements.count - 4) more" : shown
        case .null: whole = ""
        default: whole = CanonicalJSON.text(of: value)
        }
        return whole.count > wordBound ? whole.prefix(wordBound) + "…" : whole
    }
}
