import Base
import Containment
import Engine

/// The effects that stand: each one is added once, and removed by the one that takes it back.
struct KeptEffects {
    typealias Probe = (ContainmentEffect) throws(Failure) -> ContainmentEffectState

    private struct Kept {
        let effect: ContainmentEffect
        var isOpen: Bool
    }

    private var kept: [Kept] = []

    /// Takes the next effect of the journal; `state` is its outcome, `nil` without one. An effect without outcome that
    /// would take another one back does so only if the world says that it happened.
    mutating func take(_ effect: ContainmentEffect, _ state: EffectState?, _ probe: Probe) throws(Failure) {
        guard !effect.leavesNothing else { return }
        settleMove(before: effect)
        let isReversal = effect.isReversal || kept.contains { $0.effect.isTakenBack(by: effect) }
        switch state {
        case .done: isReversal ? takeBack(effect) : add(effect, isOpen: false)
        case .partly: if effect.countsInPart { add(effect, isOpen: false) }
        case .cannotTell: if effect.countsUnanswered { add(effect, isOpen: false) }
        case .notDone: return
        case nil:
            if !isReversal {
                add(effect, isOpen: true)
            } else if try probe(effect) == .done {
                takeBack(effect)
            }
        }
    }

    /// What stands, the effects without outcome only as far as the world says so.
    func settled(_ probe: Probe) throws(Failure) -> [ContainmentEffect] {
        var effects: [ContainmentEffect] = []
        for one in kept {
            if one.isOpen {
                let state = try probe(one.effect)
                let counts =
                    switch state {
                    case .done: true
                    case .partly: one.effect.countsInPart
                    case .cannotTell: one.effect.countsUnanswered
                    case .notDone: false
                    }
                guard counts else { continue }
            }
            effects.append(one.effect)
        }
        return effects
    }

    /// A group that is frozen twice is frozen once; the first time says whether somebody else had asked before.
    private mutating func add(_ effect: ContainmentEffect, isOpen: Bool) {
        if let index = kept.firstIndex(where: { $0.effect.isSame(as: effect) }) {
            if !isOpen { kept[index].isOpen = false }
        } else {
            kept.append(Kept(effect: effect, isOpen: isOpen))
        }
    }

    /// Who is moved on from where a move without outcome was to take it was moved there: the world, which has it in a third
    /// place by now, tells no more.
    private mutating func settleMove(before effect: ContainmentEffect) {
        guard case .move(let process, let from, let end) = effect else { return }
        for index in kept.indices {
            guard case .move(let moved, let origin, let to) = kept[index].effect else { continue }
            if moved == process, to == from, origin != end { kept[index].isOpen = false }
        }
    }

    /// What was done to a group goes with the group.
    private mutating func takeBack(_ effect: ContainmentEffect) {
        if case .removeGroup(let group) = effect {
            kept.removeAll { $0.effect.isAbout(group) }
        } else if let index = kept.lastIndex(where: { $0.effect.isTakenBack(by: effect) }) {
            kept.remove(at: index)
        }
    }
}

extension ContainmentEffect {
    /// Whether `other` undoes this one. A freeze is undone by the thaw of its group, whoever asked before.
    fileprivate func isTakenBack(by other: ContainmentEffect) -> Bool {
        switch (self, other) {
        case (.freeze(let mine, _), .thaw(let theirs)): mine == theirs
        default: inverse == other
        }
    }

    /// Whether it only ever takes others back.
    fileprivate var isReversal: Bool {
        switch self {
        case .thaw, .detachDrop, .removeGroup, .endTrial, .removeTable, .letGo, .letCarrierGo, .letUnitGo,
            .startUnit, .continueMachine:
            true
        default: false
        }
    }

    /// Whether nothing of it stands that could be taken back or looked at again.
    fileprivate var leavesNothing: Bool {
        switch self {
        case .recordSockets, .destroySockets: true
        default: false
        }
    }

    /// Whether half of it is something that has to be taken back, too.
    fileprivate var countsInPart: Bool {
        switch self {
        case .freeze, .attachDrop, .makeHold, .addTable, .holdUnit, .stopUnit: true
        default: false
        }
    }

    /// Whether it has to be taken back although nobody can tell that it happened: systemd comes to what it was asked for
    /// also when it does not answer in time, and QEMU may come to a `stop` long after it was sent.
    fileprivate var countsUnanswered: Bool {
        switch self {
        case .pauseMachine, .holdUnit, .stopUnit: true
        default: false
        }
    }

    fileprivate func isSame(as other: ContainmentEffect) -> Bool {
        switch (self, other) {
        case (.freeze(let mine, _), .freeze(let theirs, _)): mine == theirs
        default: self == other
        }
    }

    /// Whether it was done to this group itself, or into it.
    fileprivate func isAbout(_ group: CgroupPin) -> Bool {
        switch self {
        case .freeze(let mine, _), .attachDrop(let mine, _), .killGroup(let mine), .move(_, _, let mine),
            .hold(_, _, let mine), .holdCarrier(_, _, let mine):
            mine == group
        case .makeGroup(let hierarchy, let name), .makeHold(let hierarchy, let name):
            hierarchy == group.hierarchy && BytePath("/" + name) == group.path
        default: false
        }
    }
}
