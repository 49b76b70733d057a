import Base
import Casework

/// What a journal says about one run, read back.
struct RunHistory {
    struct EffectEntry {
        let number: Int
        let effect: JSONValue
        var state: EffectState?
        let moment: Int64
    }

    struct Step {
        var action = ""
        var pins: [SessionPin] = []
        var hold = HoldChange.keeps
        var isStarted = false
        /// Whether somebody was asked to approve it.
        var isAsked = false
        var effects: [EffectEntry] = []
        var result: StepResult?

        /// What another attempt has to know.
        var earlier: EarlierAttempts {
            let done = effects.filter { $0.state == .done }.map { EffectText($0.effect) }
            return EarlierAttempts(effects: (effects.map(\.number).max() ?? -1) + 1, done: Set(done))
        }
    }

    let run: String
    var graph: StepGraph?
    /// The run that this one takes back.
    var undoes: String?
    var isEnded = false
    var reason = ""

    /// Whether nothing was done in it, and every step that was begun waits for approval.
    var isOnlyWaiting: Bool {
        !isEnded && !steps.isEmpty && steps.values.allSatisfy { $0.isAsked && $0.result == nil && $0.effects.isEmpty }
    }
    var steps: [String: Step] = [:]

    /// All runs in the order they started.
    static func all(in journal: VerifiedJournal) throws(Failure) -> [RunHistory] {
        var order: [String] = []
        var runs: [String: RunHistory] = [:]
        for entry in journal.entries {
            let meant = entry.meant
            guard let run = meant.run else { continue }
            if runs[run] == nil {
                order.append(run)
                runs[run] = RunHistory(run: run)
            }
            try runs[run]?.take(meant)
        }
        return order.compactMap { runs[$0] }
    }

    private mutating func take(_ meant: EntryDraft) throws(Failure) {
        let body = meant.body
        switch (meant.kind, body["topic"]?.string) {
        case (.note, "run-started"):
            if let value = body["graph"] { graph = try JSONDecoding.decode(StepGraph.self, from: value) }
            undoes = body["undoes"]?.string
            reason = body["reason"]?.string ?? ""
        case (.note, "run-ended"): isEnded = true
        default:
            guard let step = meant.step else { return }
            try RunHistory.take(meant, into: &steps[step, default: Step()], step)
        }
    }

    private static func take(_ meant: EntryDraft, into step: inout Step, _ id: String) throws(Failure) {
        let body = meant.body
        switch (meant.kind, body["topic"]?.string) {
        case (.note, "step-started"):
            step.isStarted = true
            step.action = body["action"]?.string ?? ""
            step.hold = body["hold"]?.string.flatMap(HoldChange.init(rawValue:)) ?? .keeps
            step.pins = try JSONDecoding.decode([SessionPin].self, from: body["pins"] ?? [])
        case (.note, ApprovalNotes.wanted): step.isAsked = true
        case (.note, "step-ended"): step.result = try StepResult(id, reading: body)
        case (.intent, _):
            guard let number = body["effect"]?.integer, let effect = body["what"] else { return }
            let entry = EffectEntry(
                number: Int(number),
                effect: effect,
                state: nil,
                moment: meant.monotonicMicroseconds
            )
            step.effects.append(entry)
        case (.outcome, _):
            guard let number = body["effect"]?.integer else { return }
            for index in step.effects.indices where step.effects[index].number == Int(number) {
                step.effects[index].state = body["state"]?.string.flatMap(EffectState.init(rawValue:))
            }
        default: return
        }
    }
}
