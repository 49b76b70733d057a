import Base
import Testing

@testable import Engine

@Suite("the graph of a run")
struct StepGraphTests {
    @Test("it writes itself by hand as Swift would: every part under its name, and back")
    func byHand() throws {
        let plain = StepGraph.Step(id: "a", action: "freeze")
        let whole = StepGraph.Step(
            id: "b",
            action: "capture",
            parameters: ["profile": "full"],
            needs: ["a"],
            after: ["a"],
            when: .ended(step: "a", in: .succeeded),
            timeout: .seconds(5),
            retries: 2,
            onFailure: .stop
        )
        let graph = StepGraph(name: "g", version: "1.0.0", steps: [plain, whole])
        #expect(try JSONDecoding.decode(StepGraph.self, from: JSONEncoding.value(of: graph)) == graph)
        #expect(try members(of: graph) == parts(of: graph))
        #expect(try members(of: whole) == parts(of: whole))
        #expect(try members(of: plain) == parts(of: plain).filter { $0 != "when" && $0 != "timeoutNanoseconds" })
        #expect(try graph.document() == JSONEncoding.value(of: graph))
    }

    private func members(of value: some Encodable) throws -> [String] {
        try JSONEncoding.value(of: value).object?.members.map(\.key).sorted() ?? []
    }

    private func parts(of value: Any) -> [String] {
        Mirror(reflecting: value).children.compactMap(\.label).sorted()
    }
}
