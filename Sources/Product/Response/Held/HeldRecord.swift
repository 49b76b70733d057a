import Base
import Casework
import Containment
import Engine
import Sessions

/// What the journal of a case says about the containment of one session, read in one pass.
struct HeldRecord {
    /// One intended effect, with its outcome; `nil` without one.
    struct Intent {
        let effect: ContainmentEffect
        var state: EffectState?
    }

    /// A step of a run.
    struct StepKey: Hashable {
        let run: String
        let step: String
    }

    private struct EffectKey: Hashable {
        let step: StepKey
        let number: Int64
    }

    /// Every intent of containment, in order.
    private(set) var intents: [Intent] = []
    /// What the last freeze said.
    private(set) var lastFreeze: FreezeResult?
    /// The processes that any freeze held, each once.
    private(set) var members: [ProcessPin] = []
    /// The lease that was given last.
    private(set) var lease: CutLease?
    /// The peers that any freeze held, each once.
    private(set) var peers: [ProcessPin] = []
    /// The actions of the steps that were begun and have not come to their end.
    private(set) var unfinished: [StepKey: String] = [:]
    private var steps: Set<StepKey> = []
    private var places: [EffectKey: Int] = [:]

    init(of pin: SessionPin, _ entries: [Entry]) throws(Failure) {
        // What was brought in late stands where it happened, by the clock of the boot that the pins name.
        let drafts = entries.map(\.meant).enumerated().sorted { left, right in
            (left.element.monotonicMicroseconds, left.offset) < (right.element.monotonicMicroseconds, right.offset)
        }
        for (_, meant) in drafts {
            guard let run = meant.run, let step = meant.step else { continue }
            try take(meant, StepKey(run: run, step: step), pin)
        }
    }

    private mutating func take(_ meant: EntryDraft, _ key: StepKey, _ pin: SessionPin) throws(Failure) {
        let body = meant.body
        switch (meant.kind, body["topic"]?.string) {
        case (.note, "step-started"):
            guard try HeldRecord.pins(of: meant).contains(where: { $0.isSameSession(as: pin) }) else { return }
            steps.insert(key)
            unfinished[key] = body["action"]?.string
        case (.intent, _):
            guard steps.contains(key), let number = body["effect"]?.integer,
                let effect = try HeldRecord.effect(body["what"])
            else { return }
            places[EffectKey(step: key, number: number)] = intents.count
            intents.append(Intent(effect: effect, state: nil))
        case (.outcome, _):
            guard let number = body["effect"]?.integer, let place = places[EffectKey(step: key, number: number)]
            else { return }
            intents[place].state = body["state"]?.string.flatMap(EffectState.init(rawValue:))
        case (.note, "step-ended"):
            unfinished[key] = nil
            try takeLease(body, key)
            guard steps.contains(key), body["action"]?.string == FreezeAction.descriptor.name,
                let output = body["output"]
            else { return }
            let result = try JSONDecoding.decode(FreezeAction.Output.self, from: output).result
            members += result.members.filter { !members.contains($0) }
            let held = result.surroundings?.peers.filter(\.isHeld).map(\.process) ?? []
            peers += held.filter { !peers.contains($0) }
            lastFreeze = result
        default: return
        }
    }

    /// What no effect takes back.
    var irreversible: [String] {
        var sockets = 0
        var killed: [String] = []
        for intent in intents where intent.state != .notDone {
            switch intent.effect {
            case .destroySockets(_, let cookies): sockets += cookies.count
            case .killGroup(let group): killed.append("everything in \(group.path) was killed")
            default: continue
            }
        }
        return (sockets == 0 ? [] : ["\(sockets) of its sockets were destroyed"]) + killed
    }

    private mutating func takeLease(_ body: JSONValue, _ key: StepKey) throws(Failure) {
        guard steps.contains(key), body["action"]?.string == IsolateAction.descriptor.name,
            let value = body["output"]?["lease"], value != .null
        else { return }
        lease = try JSONDecoding.decode(CutLease.self, from: value)
    }

    /// Effects of other kinds of action give `nil`.
    private static func effect(_ value: JSONValue?) throws(Failure) -> ContainmentEffect? {
        guard let value else { return nil }
        do throws(Failure) {
            return try JSONDecoding.decode(ContainmentEffect.self, from: value)
        } catch {
            guard error.code == .malformed else { throw error }
            return nil
        }
    }

    private static func pins(of entry: EntryDraft) throws(Failure) -> [SessionPin] {
        guard let value = entry.body["pins"] else { return [] }
        return try JSONDecoding.decode([SessionPin].self, from: value)
    }
}
