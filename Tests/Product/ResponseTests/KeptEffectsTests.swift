import Base
import Containment
import Engine
import Testing

@testable import Response

@Suite("effects after a crash: the journal and the world together say what stands")
struct KeptEffectsTests {
    private let group = CgroupPin(hierarchy: "v2", path: BytePath("/a7"), inode: 42)
    private let quarantine = CgroupPin(hierarchy: "v2", path: BytePath("/quell-0123456789abcdef"), inode: 43)
    private let stray = ProcessPin(pid: 9, startTicks: 90)
    private var freeze: ContainmentEffect { .freeze(group: group, requestedBefore: false) }
    private var move: ContainmentEffect { .move(process: stray, from: group, to: quarantine) }
    private var back: ContainmentEffect { .move(process: stray, from: quarantine, to: group) }

    private func kept(
        _ intents: [(ContainmentEffect, EffectState?)],
        true world: [ContainmentEffect: ContainmentEffectState] = [:]
    ) throws -> [ContainmentEffect] {
        var kept = KeptEffects()
        let probe = { (effect: ContainmentEffect) throws(Failure) -> ContainmentEffectState in world[effect] ?? .notDone
        }
        for (effect, state) in intents { try kept.take(effect, state, probe) }
        return try kept.settled(probe)
    }

    @Test("an intent without outcome stands when the world says so, and only then")
    func openIntent() throws {
        #expect(try kept([(freeze, nil)], true: [freeze: .done]) == [freeze])
        #expect(try kept([(freeze, nil)]).isEmpty)
    }

    @Test("half a freeze and half a drop have to be taken back; half a move does not exist")
    func halves() throws {
        let drop = ContainmentEffect.attachDrop(group: group, program: 5)
        #expect(try kept([(freeze, .partly), (drop, nil)], true: [drop: .partly]) == [freeze, drop])
        #expect(try kept([(move, nil)], true: [move: .partly]).isEmpty)
    }

    @Test("who was moved on from where a move without outcome was to take it was moved there, too")
    func movedOn() throws {
        let second = CgroupPin(hierarchy: "v2", path: BytePath("/quell-fedcba9876543210"), inode: 44)
        let on = ContainmentEffect.move(process: stray, from: quarantine, to: second)
        #expect(try kept([(move, nil), (on, .done)], true: [move: .cannotTell]) == [move, on])
        #expect(try kept([(move, nil), (on, nil)], true: [move: .cannotTell, on: .done]) == [move, on])
        #expect(try kept([(move, nil)], true: [move: .cannotTell]).isEmpty)
    }

    @Test("a `stop` that QEMU did not answer stands until QEMU was told to go on: it may come to it later")
    func unanswered() throws {
        let pause = ContainmentEffect.pauseMachine(process: stray, monitor: BytePath("/run/q.sock"))
        let go = try #require(pause.inverse)
        #expect(try kept([(pause, .cannotTell)]) == [pause])
        #expect(try kept([(pause, nil)], true: [pause: .cannotTell]) == [pause])
        #expect(try kept([(pause, .notDone)]).isEmpty)
        #expect(try kept([(pause, .cannotTell), (go, .cannotTell)]) == [pause])
        #expect(try kept([(pause, .cannotTell), (go, .done)]).isEmpty)
        #expect(try kept([(move, .cannotTell), (move, nil)], true: [move: .cannotTell]).isEmpty)
    }

    @Test("what systemd was asked for and did not answer has to be taken back, whenever it does it")
    func unansweredUnits() throws {
        let systemctl = BytePath("/usr/bin/systemctl")
        let stop = ContainmentEffect.stopUnit(unit: "agent.timer", systemctl: systemctl)
        let hold = ContainmentEffect.holdUnit(
            unit: "agent.service",
            dropIn: BytePath("/run/x.conf"),
            systemctl: systemctl
        )
        for state in [EffectState.partly, .cannotTell] {
            #expect(try kept([(stop, state), (hold, state)]) == [stop, hold])
        }
        #expect(try kept([(stop, nil), (hold, nil)], true: [stop: .partly, hold: .cannotTell]) == [stop, hold])
        #expect(try kept([(stop, .notDone), (hold, nil)]).isEmpty)
        let start = ContainmentEffect.startUnit(unit: "agent.timer", systemctl: systemctl)
        #expect(try kept([(stop, .cannotTell), (start, .done)]).isEmpty)
    }

    @Test("a thaw without outcome ends the freeze only when the group is thawed")
    func openThaw() throws {
        let thaw = ContainmentEffect.thaw(group: group)
        #expect(try kept([(freeze, .done), (thaw, nil)]) == [freeze])
        #expect(try kept([(freeze, .done), (thaw, nil)], true: [thaw: .done]).isEmpty)
    }

    @Test("a move back without outcome takes the move back when the process is back, and is never itself a move")
    func openMoveBack() throws {
        #expect(try kept([(move, .done), (back, nil)], true: [back: .done]).isEmpty)
        #expect(try kept([(move, .done), (back, nil)]) == [move])
        #expect(try kept([(move, nil), (back, .done)]).isEmpty)
    }

    @Test("what was done to a group goes with the group")
    func removal() throws {
        let effects: [(ContainmentEffect, EffectState?)] = [
            (.makeGroup(hierarchy: "v2", name: "quell-0123456789abcdef"), .done),
            (.freeze(group: quarantine, requestedBefore: false), .done),
            (.attachDrop(group: quarantine, program: 5), .done), (freeze, .done),
            (.removeGroup(group: quarantine), .done),
        ]
        #expect(try kept(effects) == [freeze])
    }

    @Test("RT34 a made group is known by the inode of an intent, even one that was never carried out")
    func madeGroups() {
        let other = CgroupPin(hierarchy: "v2", path: BytePath("/quell-fedcba9876543210"), inode: 44)
        let made: [ContainmentEffect] = [
            .makeGroup(hierarchy: "v2", name: "quell-0123456789abcdef"),
            .makeGroup(hierarchy: "v2", name: "quell-fedcba9876543210"),
            .makeGroup(hierarchy: "v2", name: "quell-0000000000000000"),
        ]
        let groups = MadeGroups(
            made + [
                .freeze(group: quarantine, requestedBefore: false), move, back,
                .move(process: stray, from: group, to: other),
            ],
            standing: made
        )
        #expect(groups.quarantines == [quarantine])
        #expect(groups.asides == [other])
        #expect(groups.named.map(\.name) == ["quell-0000000000000000"])
    }
}
