import Base
import Programs
import Sealing
import Testing

@testable import Bundles
@testable import Evidence

/// data/case.jsonld in front of the ontology's own checker.
@Suite("The CASE graph")
struct CaseGraphTests {
    static let program = Program.ownEnvironment()["QUELL_CASE_VALIDATE"] ?? ""

    private func graph(
        authority: String? = "INC-2041 \"quoted\"",
        purpose: SealStatement.Purpose = .incident,
        isFrozen: Bool = true
    ) throws -> CaseGraph {
        let names = ["data/session.json", "data/files/workspace.pax.zst.000", "data/journal.jsonl"]
        let freeze = FreezeProof(confirmed: Instant(seconds: 1_795_358_800), processes: 7)
        return CaseGraph(
            parts: SealParts(
                name: "amber-7f3a-1",
                caseID: "amber-7f3a",
                number: 1,
                purpose: purpose,
                freeze: isFrozen ? freeze : nil,
                authority: authority,
                tool: SealStatement.Tool(version: "0.1.0", digest: SHA256.digest(of: [])),
                responder: "kim@example.org",
                host: "build-7"
            ),
            payload: try names.enumerated().map { index, name in
                PayloadRecord(
                    name: try PayloadName(name),
                    size: UInt64(index),
                    digest: SHA256.digest(of: [UInt8(index)])
                )
            },
            began: Instant(seconds: 1_795_358_801, nanoseconds: 67_303_521),
            ended: Instant(seconds: 1_795_358_861)
        )
    }

    @Test("the same capture gives the same graph, freeze, capture and seal inform each other, and each file is named")
    func form() throws {
        let made = try graph()
        #expect(try graph().bytes == made.bytes)
        let nodes = try #require(try JSONReader.read(Array(made.bytes.dropLast()))["@graph"]?.array)
        func named(_ name: String) -> JSONValue? { nodes.first { $0["uco-core:name"]?.string == name } }
        for (later, earlier) in [("capture", "freeze"), ("seal", "capture")] {
            let informed = named(later)?["case-investigation:wasInformedBy"]?["@id"]
            #expect(informed != nil && informed == named(earlier)?["@id"])
        }
        let files = nodes.filter { $0["@type"]?.string == "uco-observable:File" }
        #expect(files.count == 3)
        #expect(Set(nodes.compactMap { $0["@id"]?.string }).count == nodes.count)
        #expect(nodes.contains { $0["case-investigation:authorizationIdentifier"]?.string == "INC-2041 \"quoted\"" })
    }

    @Test("R11 a missing authority leaves no authorization and an exercise says so")
    func absences() throws {
        let text = String(decoding: try graph(authority: nil, purpose: .exercise, isFrozen: false).bytes, as: UTF8.self)
        #expect(!text.contains("Authorization"))
        #expect(!text.contains("freeze"))
        #expect(text.contains("\"uco-core:tag\":[\"exercise\"]"))
    }

    @Test("the graph passes case_validate", .enabled(if: !program.isEmpty))
    func conforms() throws {
        let folder = try #require(Files.makeTemporaryFolder())
        defer { #expect(Files.removeTree(folder).isEmpty) }
        let graphs = [try graph(), try graph(authority: nil, purpose: .exercise, isFrozen: false)]
        let paths = graphs.enumerated().map { "\(folder)/\($0.offset).jsonld" }
        for (path, graph) in zip(paths, graphs) { #expect(Files.write(graph.bytes, to: path) == 0) }
        let result = try Program(Self.program, paths).run(within: .seconds(120))
        #expect(result.status == 0, "\(result.text) \(result.errorText)")
        #expect(result.text.contains("Conforms: True"))
        Files.write(try JSONReader.read(Array(graphs[0].bytes.dropLast())).withoutHash, to: "\(folder)/bad.jsonld")
        #expect(try Program(Self.program, ["\(folder)/bad.jsonld"]).run(within: .seconds(120)).status != 0)
    }
}

extension JSONValue {
    /// The same text with a hash that is none: the checker must see it.
    fileprivate var withoutHash: String {
        CanonicalJSON.text(of: self).replacing("\"uco-types:hashMethod\":\"SHA256\",", with: "")
    }
}
