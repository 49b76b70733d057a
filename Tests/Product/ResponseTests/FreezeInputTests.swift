import Base
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

    private func members(of value: some Encodable) throws -> [String] {
        try JSONEncoding.value(of: value).object?.members.map(\.key).sorted() ?? []
    }

    private func parts(of value: Any) -> [String] {
        Mirror(reflecting: value).children.compactMap(\.label).sorted()
    }
}
