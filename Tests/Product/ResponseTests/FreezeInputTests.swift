import Base
import Containment
import Response
import Sessions
import Testing

@Suite("what a freeze is given")
struct FreezeInputTests {
    @Test("it writes itself by hand as Swift would: every part under its name, and back")
    func byHand() throws {
        let pin = SessionPin(bootID: "b", cgroups: [], leader: ProcessPin(pid: 7, startTicks: 8))
        let session = SessionReference(locator: .pid(7), pin: pin, agent: "a7")
        let input = FreezeAction.Input(
            session: session,
            cut: false,
            broad: "why",
            include: [5],
            holdRestart: true,
            peers: false
        )
        #expect(try JSONDecoding.decode(FreezeAction.Input.self, from: JSONEncoding.value(of: input)) == input)
        #expect(try members(of: input) == parts(of: input))
        #expect(try members(of: session) == parts(of: session))
        let plain = FreezeAction.Input(session: SessionReference(locator: .pid(7), pin: pin))
        #expect(try JSONDecoding.decode(FreezeAction.Input.self, from: JSONEncoding.value(of: plain)) == plain)
        #expect(try members(of: plain) == ["session"])
    }

    @Test("what is written before a freeze is what an encoder gives, large numbers and bytes included")
    func withoutEncoder() throws {
        let group = CgroupPin(hierarchy: "v2", path: BytePath([47, 0xff, 97]), inode: 1 << 60)
        let other = CgroupPin(hierarchy: "v1:freezer", path: BytePath("/a\n\"b"), inode: 7)
        let leader = ProcessPin(pid: 7, startTicks: .max)
        let pins = [
            SessionPin(bootID: "b", cgroups: [group, other], leader: leader),
            SessionPin(bootID: "", cgroups: [], leader: nil),
        ]
        #expect(try JSONEncoding.list(of: pins) == JSONEncoding.value(of: pins))
        for pin in pins {
            for agent in ["a7", nil] {
                let session = SessionReference(locator: .cgroup(group.path), pin: pin, agent: agent)
                var input = FreezeAction.Input(session: session)
                #expect(try FreezeAction.document(of: input) == JSONEncoding.value(of: input))
                input = FreezeAction.Input(
                    session: session,
                    cut: false,
                    broad: "why",
                    include: [5, .max],
                    holdRestart: true,
                    peers: false
                )
                #expect(try FreezeAction.document(of: input) == JSONEncoding.value(of: input))
            }
        }
        let effects = [
            ContainmentEffect.freeze(group: group, requestedBefore: true),
            .freeze(group: other, requestedBefore: false),
            .thaw(group: group), .move(process: leader, from: group, to: other),
        ]
        for effect in effects { #expect(try FreezeAction.entry(of: effect) == JSONEncoding.value(of: effect)) }
    }

    private func members(of value: some Encodable) throws -> [String] {
        try JSONEncoding.value(of: value).object?.members.map(\.key).sorted() ?? []
    }

    private func parts(of value: Any) -> [String] {
        Mirror(reflecting: value).children.compactMap(\.label).sorted()
    }
}
