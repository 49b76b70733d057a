import Base
import Containment
import Glibc
import Kernel
import Testing

@Suite("effects")
struct EffectTests {
    private static let group = CgroupPin(hierarchy: "v2", path: BytePath("/a\u{202e}b"), inode: 7)
    private static let other = CgroupPin(hierarchy: "v2", path: BytePath("/q"), inode: 8)
    private static let process = ProcessPin(pid: 9, startTicks: 10)

    @Test("a move's inverse goes back, and its inverse is the move")
    func moves() throws {
        let move = ContainmentEffect.move(process: EffectTests.process, from: EffectTests.group, to: EffectTests.other)
        let back = try #require(move.inverse)
        #expect(back == .move(process: EffectTests.process, from: EffectTests.other, to: EffectTests.group))
        #expect(back.inverse == move)
    }

    @Test("what somebody else froze has no inverse, nor has a kill")
    func irreversible() {
        #expect(ContainmentEffect.freeze(group: EffectTests.group, requestedBefore: true).inverse == nil)
        #expect(
            ContainmentEffect.freeze(group: EffectTests.group, requestedBefore: false).inverse
                == .thaw(group: EffectTests.group)
        )
        #expect(ContainmentEffect.killGroup(group: EffectTests.group).inverse == nil)
        #expect(ContainmentEffect.signal(process: EffectTests.process, number: SIGKILL).inverse == nil)
    }

    /// Every kind of effect, and what stands in the journal for it. Journals outlive versions: this never changes.
    private static let journaled: [(effect: ContainmentEffect, text: String)] = [
        (.freeze(group: other, requestedBefore: true), #"{"freeze":{"group":@Q,"requestedBefore":true}}"#),
        (.thaw(group: other), #"{"thaw":{"group":@Q}}"#),
        (.makeGroup(hierarchy: "v2", name: "n"), #"{"makeGroup":{"hierarchy":"v2","name":"n"}}"#),
        (.removeGroup(group: other), #"{"removeGroup":{"group":@Q}}"#),
        (.move(process: process, from: other, to: home), #"{"move":{"from":@Q,"process":@P,"to":@H}}"#),
        (
            .moveThread(process: process, thread: 3, from: other, to: home),
            #"{"moveThread":{"from":@Q,"process":@P,"thread":3,"to":@H}}"#
        ),
        (.attachDrop(group: other, program: 12), #"{"attachDrop":{"group":@Q,"program":12}}"#),
        (.detachDrop(group: other, program: 12), #"{"detachDrop":{"group":@Q,"program":12}}"#),
        (.signal(process: process, number: 19), #"{"signal":{"number":19,"process":@P}}"#),
        (.killGroup(group: other), #"{"killGroup":{"group":@Q}}"#),
        (.recordSockets([]), #"{"recordSockets":{"_0":[]}}"#),
        (
            .destroySockets(networkNamespace: 4, cookies: [5, .max]),
            #"{"destroySockets":{"cookies":[5,"18446744073709551615"],"networkNamespace":4}}"#
        ),
        (.beginTrial(parent: other, name: "n"), #"{"beginTrial":{"name":"n","parent":@Q}}"#),
        (.endTrial(parent: other, name: "n"), #"{"endTrial":{"name":"n","parent":@Q}}"#),
        (.makeHold(hierarchy: "v2", name: "n"), #"{"makeHold":{"hierarchy":"v2","name":"n"}}"#),
        (.hold(process: process, from: other, into: home), #"{"hold":{"from":@Q,"into":@H,"process":@P}}"#),
        (.letGo(process: process, from: home, to: other), #"{"letGo":{"from":@H,"process":@P,"to":@Q}}"#),
        (
            .holdUnit(unit: "a.service", dropIn: BytePath("/r/q.conf"), systemctl: BytePath("/s")),
            #"{"holdUnit":{"dropIn":"/r/q.conf","systemctl":"/s","unit":"a.service"}}"#
        ),
        (
            .letUnitGo(unit: "a.service", dropIn: BytePath("/r/q.conf"), systemctl: BytePath("/s")),
            #"{"letUnitGo":{"dropIn":"/r/q.conf","systemctl":"/s","unit":"a.service"}}"#
        ),
        (.stopUnit(unit: "a.timer", systemctl: BytePath("/s")), #"{"stopUnit":{"systemctl":"/s","unit":"a.timer"}}"#),
        (.startUnit(unit: "a.timer", systemctl: BytePath("/s")), #"{"startUnit":{"systemctl":"/s","unit":"a.timer"}}"#),
        (
            .pauseMachine(process: process, monitor: BytePath("/m")),
            #"{"pauseMachine":{"monitor":"/m","process":@P}}"#
        ),
        (
            .continueMachine(process: process, monitor: BytePath("/m")),
            #"{"continueMachine":{"monitor":"/m","process":@P}}"#
        ),
    ]
    private static let home = CgroupPin(hierarchy: "v1:freezer", path: BytePath([47, 0xff]), inode: 7)

    @Test("effects stand in the journal as they always did, and survive it")
    func encoding() throws {
        for (effect, text) in EffectTests.journaled {
            let whole =
                text
                .replacing("@Q", with: #"{"hierarchy":"v2","inode":8,"path":"/q"}"#)
                .replacing("@P", with: #"{"pid":9,"startTicks":10}"#)
                .replacing("@H", with: #"{"hierarchy":"v1:freezer","inode":7,"path":{"bytes":"L/8="}}"#)
            #expect(CanonicalJSON.text(of: try JSONEncoding.value(of: effect)) == whole)
            #expect(try JSONDecoding.decode(ContainmentEffect.self, from: Array(whole.utf8)) == effect)
        }
    }

    @Test("tables survive the journal, too")
    func tables() throws {
        let table = PacketTable(name: "quell", networkNamespace: 3, groups: [EffectTests.home])
        for effect in [ContainmentEffect.addTable(table), .removeTable(table)] {
            let bytes = try JSONEncoding.canonicalBytes(of: effect)
            #expect(try JSONDecoding.decode(ContainmentEffect.self, from: bytes) == effect)
        }
    }

    @Test(
        "what is no effect is refused",
        arguments: [
            "{}", #"{"group":{}}"#, #"{"_0":[]}"#, #"{"thaw":{}}"#, #"{"dance":{}}"#,
            #"{"killGroup":{"group":{"hierarchy":"v2","inode":8,"path":"/q"}},"recordSockets":{"_0":[]}}"#,
        ]
    )
    func noEffect(text: String) {
        #expect(throws: Failure.self) { try JSONDecoding.decode(ContainmentEffect.self, from: Array(text.utf8)) }
    }

    @Test("RT37 a summary escapes hostile names")
    func summary() {
        #expect(!ContainmentEffect.thaw(group: EffectTests.group).summary.unicodeScalars.contains("\u{202e}"))
    }

    @Test("only what stands in the kernel's memory alone, and holds, ends with the machine")
    func ends() {
        let ending = EffectTests.journaled.filter(\.effect.endsWithMachine)
        let words = Set(ending.map { String($0.text.prefix { $0 != ":" }) })
        let kinds = ["freeze", "makeGroup", "move", "moveThread", "attachDrop", "makeHold", "hold"]
        #expect(words.subtracting(["{\"signal\""]) == Set(kinds.map { "{\"\($0)\"" }))
        let carrier = ContainmentEffect.holdCarrier(
            process: EffectTests.process,
            from: EffectTests.group,
            into: EffectTests.other
        )
        #expect(carrier.endsWithMachine)
        #expect(ContainmentEffect.signal(process: EffectTests.process, number: SIGSTOP).endsWithMachine)
        #expect(!ContainmentEffect.signal(process: EffectTests.process, number: SIGKILL).endsWithMachine)
        #expect(!ContainmentEffect.signal(process: EffectTests.process, number: SIGCONT).endsWithMachine)
    }
}
