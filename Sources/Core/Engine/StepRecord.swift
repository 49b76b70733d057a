import Base
import Casework
import Synchronization

/// Writes one step's entries: numbers its effects and knows which of them earlier attempts did.
final class StepRecord: Sendable {
    private struct State {
        var nextEffect: Int
        var done: DoneEffects
        var pending: [EntryDraft]
    }

    private let writer: any JournalWriter
    private let actor: Responder
    private let run: String
    private let step: String
    private let state: Mutex<State>

    /// `pending` are entries that go with the first intents, in the same commit: the start of the step.
    init(
        _ writer: any JournalWriter,
        by actor: Responder,
        run: String,
        step: String,
        earlier: EarlierAttempts = .none,
        pending: [EntryDraft] = []
    ) {
        self.writer = writer
        self.actor = actor
        self.run = run
        self.step = step
        state = Mutex(State(nextEffect: earlier.effects, done: DoneEffects(earlier.done), pending: pending))
    }

    func isDone(_ effect: EffectText) -> Bool { state.withLock { $0.done.contains(effect) } }

    /// Whether any effect of the step was done, by this attempt or an earlier one.
    var hasDone: Bool { state.withLock { !$0.done.isEmpty } }

    /// Adds an entry to those that go with the next commit.
    func add(_ draft: EntryDraft) { state.withLock { $0.pending.append(draft) } }

    /// Commits an intent for each effect, or, when all end with the machine, keeps them as such effects need it; gives their
    /// numbers within the step.
    func intend(_ effects: [JSONValue], endingWithMachine: Bool = false) throws(Failure) -> [Int] {
        let first = state.withLock { state in
            defer { state.nextEffect += effects.count }
            return state.nextEffect
        }
        let intents = effects.enumerated().map { offset, effect in
            draft(.intent, ["effect": .integer(Int64(first + offset)), "what": effect])
        }
        try appendWithPending(intents, isAhead: endingWithMachine)
        return Array(first..<first + effects.count)
    }

    /// What became of one effect, and why it is not simply done.
    struct EffectOutcome {
        let number: Int
        let state: EffectState
        let failure: Failure?

        init(_ number: Int, _ state: EffectState, _ failure: Failure? = nil) {
            self.number = number
            self.state = state
            self.failure = failure
        }
    }

    /// Commits an outcome for each effect.
    func conclude(_ outcomes: [EffectOutcome], _ effects: [JSONValue]) throws(Failure) {
        var drafts: [EntryDraft] = []
        for outcome in outcomes {
            var body = JSONObject()
            body["effect"] = .integer(Int64(outcome.number))
            body["state"] = .string(outcome.state.rawValue)
            if let failure = outcome.failure { body["failure"] = try JSONEncoding.value(of: failure) }
            drafts.append(draft(.outcome, .object(body)))
        }
        try writer.append(drafts)
        state.withLock { state in
            for index in outcomes.indices where outcomes[index].state == .done {
                state.done.insert(EffectText(effects[index]))
            }
        }
    }

    /// Commits what is pending with `drafts` behind it.
    func close(_ drafts: [EntryDraft]) throws(Failure) { try appendWithPending(drafts) }

    /// What is pending stays so until it is kept.
    private func appendWithPending(_ drafts: [EntryDraft], isAhead: Bool = false) throws(Failure) {
        let pending = state.withLock { $0.pending }
        if isAhead { try writer.appendAhead(pending + drafts) } else { try writer.append(pending + drafts) }
        state.withLock { $0.pending.removeFirst(pending.count) }
    }

    func draft(_ kind: Entry.Kind, _ body: JSONValue) -> EntryDraft {
        EntryDraft(kind, body, by: actor, run: run, step: step)
    }
}

/// What earlier attempts of a step left in the journal.
struct EarlierAttempts: Sendable {
    /// How many effects they numbered.
    var effects: Int
    /// The text of those that are done.
    var done: Set<EffectText>

    static let none = EarlierAttempts(effects: 0, done: [])
}

/// The canonical bytes of an effect: two effects are one when these are. A type of its own, because a set of byte arrays
/// makes the runtime search its conformances twice before the first effect.
struct EffectText: Hashable, Sendable {
    private let bytes: [UInt8]

    init(_ effect: JSONValue) { bytes = CanonicalJSON.bytes(of: effect) }
}

/// Effects that are done. Few are kept in a list, because a set makes the runtime search its conformances, which a freeze
/// would wait for.
private struct DoneEffects {
    private var few: [EffectText] = []
    private var many: Set<EffectText>?

    init(_ earlier: Set<EffectText>) { if !earlier.isEmpty { many = earlier } }

    var isEmpty: Bool { few.isEmpty && many == nil }

    func contains(_ effect: EffectText) -> Bool { many?.contains(effect) ?? few.contains(effect) }

    mutating func insert(_ effect: EffectText) {
        if many != nil {
            many?.insert(effect)
        } else if few.count < 8 {
            few.append(effect)
        } else {
            many = Set(few + [effect])
        }
    }
}
