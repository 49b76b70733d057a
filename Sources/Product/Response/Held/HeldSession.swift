public import Base
public import Casework
public import Containment
import Engine
import Sessions

/// What Quell did to a session and has not taken back, as the case's journal tells it: the ground for capture, thaw,
/// kill, release and status.
public struct HeldSession: Sendable {
    /// The effects of containment that were done and not reversed, oldest first.
    public let effects: [ContainmentEffect]
    /// What the last freeze said.
    public let lastFreeze: FreezeResult?

    /// Reads the journal of `home`.
    ///
    /// - Throws: `malformed` when an entry is not of Quell's form.
    public init(of pin: SessionPin, in home: Case) throws(Failure) {
        try self.init(of: pin, entries: try home.journal.entries())
    }

    init(of pin: SessionPin, entries: [Entry]) throws(Failure) {
        var steps = Set<StepKey>()
        var intents: [EffectKey: ContainmentEffect] = [:]
        var effects: [ContainmentEffect] = []
        var lastFreeze: FreezeResult?
        for entry in entries {
            let meant = entry.meant
            guard let run = meant.run, let step = meant.step else { continue }
            let key = StepKey(run: run, step: step)
            switch (meant.kind, meant.body["topic"]?.string) {
            case (.note, "step-started"):
                if try HeldSession.pins(of: meant).contains(where: { $0.isSameSession(as: pin) }) { steps.insert(key) }
            case (.intent, _):
                guard steps.contains(key), let number = meant.body["effect"]?.integer else { continue }
                intents[EffectKey(step: key, number: number)] = try HeldSession.effect(meant.body["what"])
            case (.outcome, _):
                guard steps.contains(key), meant.body["state"]?.string == EffectState.done.rawValue,
                    let number = meant.body["effect"]?.integer,
                    let done = intents[EffectKey(step: key, number: number)]
                else { continue }
                HeldSession.take(done, into: &effects)
            case (.note, "step-ended"):
                guard steps.contains(key), meant.body["action"]?.string == FreezeAction.descriptor.name,
                    let output = meant.body["output"]
                else { continue }
                lastFreeze = try JSONDecoding.decode(FreezeAction.Output.self, from: output).result
            default: continue
            }
        }
        self.effects = effects
        self.lastFreeze = lastFreeze
    }

    /// The network drops that stand.
    public var drops: [Drop] {
        effects.compactMap { effect -> Drop? in
            guard case .attachDrop(let group, let program) = effect else { return nil }
            return Drop(group: group, program: program)
        }
    }

    /// The groups that were frozen by us, quarantine ones included.
    public var frozenGroups: [CgroupPin] {
        var groups: [CgroupPin] = []
        for effect in effects {
            if case .freeze(let group, _) = effect, !groups.contains(group) { groups.append(group) }
        }
        return groups
    }

    /// The processes that the last freeze held.
    public var members: [ProcessPin] { lastFreeze?.members ?? [] }

    private struct StepKey: Hashable {
        let run: String
        let step: String
    }

    private struct EffectKey: Hashable {
        let step: StepKey
        let number: Int64
    }

    /// An effect that takes another one back removes it; every other one is added. A second freeze of a group that we hold
    /// already found it frozen by us, so the first one tells who froze it.
    private static func take(_ effect: ContainmentEffect, into effects: inout [ContainmentEffect]) {
        let reversed = effects.lastIndex { $0.isTakenBack(by: effect) }
        if let reversed {
            effects.remove(at: reversed)
        } else if !effects.contains(where: { $0.isRepeated(by: effect) }) {
            effects.append(effect)
        }
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

extension ContainmentEffect {
    /// Whether `other` did the same again.
    fileprivate func isRepeated(by other: ContainmentEffect) -> Bool {
        switch (self, other) {
        case (.freeze(let mine, _), .freeze(let theirs, _)): mine == theirs
        default: self == other
        }
    }

    /// Whether `other` undoes this one. A freeze is undone by the thaw of its group, whoever asked before.
    fileprivate func isTakenBack(by other: ContainmentEffect) -> Bool {
        switch (self, other) {
        case (.freeze(let mine, _), .thaw(let theirs)): mine == theirs
        default: inverse == other
        }
    }
}

extension HeldSession {
    /// The groups that Quell made for the session, by inode as the effects know it (RT34).
    var ownGroups: [CgroupPin] {
        var names = Set<BytePath>()
        for case .makeGroup(_, let name) in effects { names.insert(BytePath("/" + name)) }
        var groups: [CgroupPin] = []
        for effect in effects {
            switch effect {
            case .freeze(let group, _), .move(_, _, let group):
                if names.contains(group.path), !groups.contains(group) { groups.append(group) }
            default: continue
            }
        }
        return groups
    }

    /// Why nothing can be taken back or killed: Quell holds nothing of the session in this case.
    func notHeld(_ attempt: String, _ session: SessionReference) -> Failure {
        Failure(
            .refused,
            attempt,
            on: String(decoding: session.locator.argument.bytes, as: UTF8.self),
            because: "no freeze of it is on record in this case",
            hint: "quell status"
        )
    }
}
