import Base
import Containment
import Glibc
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

    @Test("effects survive the journal's encoding")
    func encoding() throws {
        let effects: [ContainmentEffect] = [
            .freeze(group: EffectTests.group, requestedBefore: true), .makeGroup(hierarchy: "v2", name: "quell-1"),
            .move(process: EffectTests.process, from: EffectTests.group, to: EffectTests.other),
            .moveThread(process: EffectTests.process, thread: 3, from: EffectTests.group, to: EffectTests.other),
            .attachDrop(group: EffectTests.group, program: 12), .signal(process: EffectTests.process, number: SIGSTOP),
        ]
        for effect in effects {
            let bytes = try JSONEncoding.canonicalBytes(of: effect)
            #expect(try JSONDecoding.decode(ContainmentEffect.self, from: bytes) == effect)
        }
    }

    @Test("RT37 a summary escapes hostile names")
    func summary() {
        #expect(!ContainmentEffect.thaw(group: EffectTests.group).summary.unicodeScalars.contains("\u{202e}"))
    }
}
