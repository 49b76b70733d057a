/// The words that stand before an event in every text for people: who vouches for it is part of each row.
enum Label {
    static func words(for event: Event) -> String {
        switch (event.kind, event.verb) {
        case (.instruction, _): "is told"
        case (.claimedInstruction, _): "claims to be told"
        case (.testimony, .thinks): "thinks"
        case (.testimony, .keeps): "keeps"
        case (.testimony, .logged): "log says"
        case (.testimony, .datedFile): "file says"
        case (.testimony, .unreadable): "unreadable"
        case (.testimony, _): "says"
        case (.toolCall, _): "asks to run"
        case (.toolResult, _): "reports back"
        case (.observation, _): "observed"
        case (.responder, _): "Quell"
        case (.note, _): "note"
        }
    }

    /// What happened, for verbs whose object alone would not say it.
    static func happening(of event: Event) -> String? {
        switch event.verb {
        case .startedProcess: "process started"
        case .bornFile: "file born"
        case .changedFile: "file changed"
        case .deletedFile: "deleted file last changed"
        case .datedFile: "dated by its owner"
        case .intends: "begins"
        case .concludes: "did"
        case .probes: "finds"
        case .decides: "records"
        case .remarks: "notes"
        case .told, .says, .thinks, .calls, .returns, .keeps, .logged, .unreadable: nil
        }
    }

    /// One line without label and actor, every hostile part escaped for a terminal (RT37).
    static func text(of event: Event) -> String {
        var parts: [String] = []
        if let happening = happening(of: event) { parts.append(happening) }
        if event.verb == .calls || event.verb == .keeps, !event.detail.isEmpty {
            parts.append(event.detail.terminal + (event.object.isEmpty ? "" : ":"))
        }
        if !event.object.isEmpty { parts.append(event.object.terminal) }
        if event.verb != .calls, event.verb != .keeps, !event.detail.isEmpty {
            parts.append("(\(event.detail.terminal))")
        }
        if let origin = event.origin { parts.append("[\(origin.terminal)]") }
        return parts.joined(separator: " ")
    }
}
