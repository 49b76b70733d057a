import Base
import Engine
import Playbooks
import Testing

@Suite("Mutated playbooks")
struct PlaybookMutationTests {
    static let valid = """
        playbook: test
        version: 1.0.0
        title: A test
        maps: [OWASP-ASI10]
        parameters:
          session: { type: session }
          reason: { type: string, default: "" }
          quick: { type: bool, default: false }
        steps:
          - { id: freeze, action: freeze, timeout: 5s }
          - { id: keep, action: capture, with: { profile: standard, limit: 2m, quick: "${parameters.quick}" }, after: [freeze] }
          - { id: story, action: timeline, with: { bundle: steps.keep.bundle }, needs: [keep] }
          - { id: end, action: kill, needs: [keep], when: "steps.keep.complete && !(parameters.quick || steps.story.state == failed)", after: [story] }
        """
    static let words = [
        "steps", "keep", "freeze", "${", "}", "parameters.reason", "parameters.", "steps.keep.state", "==", "!", "(",
        "- ", "\n  - ", ": ", ", ", "[", "]", "{", "}", "'", "\"", "needs: [story]", "after: [end]", "true", "5s", "id",
        "\u{0}", "é", "\t", "&a ", "*a", "|", "when", "0", "-1",
    ]

    @Test("give a graph or an error with a place, and never a crash", arguments: 0..<10)
    func mutations(seed: UInt64) throws {
        var random = Generator(state: seed)
        var graphs = 0
        for _ in 0..<300 {
            let text = mutated(PlaybookMutationTests.valid, &random)
            do {
                let document = try PlaybookDocument.parse(Array(text.utf8), named: BytePath("t.yaml"))
                _ = document.digest
                let graph = try document.graph(given: given(document), actions: TestCatalogue.actions)
                #expect(!graph.steps.isEmpty)
                graphs += 1
            } catch {
                #expect(error.code == .malformed, "\(error)\n\(text)")
                #expect(error.subject.wholeMatch(of: /t\.yaml:[1-9]\d*:[1-9]\d*/) != nil, "\(error)\n\(text)")
            }
        }
        // The mutations are small enough that some playbooks stay valid.
        #expect(graphs > 0)
    }

    /// Replaces, inserts, removes or doubles a few pieces.
    private func mutated(_ text: String, _ random: inout Generator) -> String {
        var characters = Array(text.unicodeScalars)
        for _ in 0...random.below(3) {
            let position = random.below(characters.count)
            let end = min(characters.count, position + random.below(12))
            switch random.below(4) {
            case 0: characters.removeSubrange(position..<end)
            case 1: characters.insert(contentsOf: characters[position..<end], at: random.below(characters.count))
            default:
                let word = PlaybookMutationTests.words[random.below(PlaybookMutationTests.words.count)]
                characters.insert(contentsOf: word.unicodeScalars, at: position)
            }
        }
        var result = ""
        result.unicodeScalars.append(contentsOf: characters)
        return result
    }

    private func given(_ document: PlaybookDocument) -> [String: String] {
        let required = document.parameters.filter(\.isRequired)
        return Dictionary(required.map { ($0.name, sample($0.kind)) }) { first, _ in first }
    }

    private func sample(_ kind: Field.Kind) -> String {
        switch kind {
        case .integer, .number: "1"
        case .flag: "true"
        case .duration: "1s"
        default: "pid:7"
        }
    }
}

/// A small seeded generator, so that a failing mutation can be run again.
struct Generator {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(bound))
    }
}
