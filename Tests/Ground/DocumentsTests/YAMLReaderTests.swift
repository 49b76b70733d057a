import Base
import Documents
import Testing

@Suite("YAML documents")
struct YAMLReaderTests {
    @Test("a document keeps the order of its keys and the place of every node")
    func placesAndOrder() throws {
        let document = try read("name: a7\nlist:\n  - one\n  - { b: 2, a: \"3\" }\n")
        let mapping = try document.mapping(known: ["name", "list"])
        #expect(mapping.entries.map(\.key) == ["name", "list"])
        #expect(mapping.entries.map(\.keyPlace.position.description) == ["1:1", "2:1"])
        let items = try mapping.required("list").list()
        #expect(items.map(\.position.description) == ["3:5", "4:5"])
        let inner = try items[1].mapping(known: ["a", "b"])
        #expect(inner.entries.map(\.key) == ["b", "a"])
        #expect(inner["b"]?.position == Position(line: 4, column: 10))
        #expect(inner["a"]?.content == .scalar(DocumentScalar("3", isQuoted: true)))
    }

    @Test("columns count characters, not bytes")
    func columnsCountScalars() throws {
        let mapping = try read("\"ä€\": x").anyMapping()
        #expect(mapping.entries[0].value.position == Position(line: 1, column: 7))
    }

    @Test("a duplicate key is refused with both places, in block and in flow style")
    func duplicateKeys() {
        expect("a: 1\nb:\n  a: 2\na: 3\n", "t.yaml:4:1", "the key \"a\" stands twice in one mapping, first at 1:1")
        expect("x: { id: 1, 'id': 2 }", "t.yaml:1:13", "the key \"id\" stands twice in one mapping, first at 1:6")
        let third = "- id: 1\n- id: 2\n  \"id\": 3"
        expect(third, "t.yaml:3:3", "the key \"id\" stands twice in one mapping, first at 2:3")
    }

    @Test("anchors and aliases are refused where they stand, and many laughs take no time")
    func noAliases() {
        expect("a: &x 1\nb: *x\n", "t.yaml:1:4", "anchors and aliases are not allowed")
        expect("a: 1\nb: *x\n", "t.yaml:2:4", "anchors and aliases are not allowed")
        expect("&k a: 1\n", "t.yaml:1:1", "anchors and aliases are not allowed")
        var laughs = "a0: &a0 [lol, lol]\n"
        for level in 1...40 {
            let alias = "*a\(level - 1)"
            laughs += "? &a\(level) [\(alias), \(alias), \(alias), \(alias)]\n: x\n"
        }
        expect(laughs, "t.yaml:1:5", "anchors and aliases are not allowed")
    }

    @Test("text with asterisks and ampersands is not taken for aliases")
    func asterisksInText() throws {
        let text = String(repeating: "*never* ", count: 30)
        let mapping = try read("a: |\n  \(text)\nb: \"R&D & more\"\n").mapping(known: ["a", "b"])
        #expect(try mapping.string("b") == "R&D & more")
    }

    @Test("tags, merge keys, keys that are not words and second documents are refused")
    func refusedForms() {
        expect("a: !!binary aGk=\n", "t.yaml:1:4", "tags are not allowed, here \"tag:yaml.org,2002:binary\"")
        expect("a: !secret x\n", "t.yaml:1:4", "tags are not allowed, here \"!secret\"")
        expect("a:\n  <<: { b: 1 }\n", "t.yaml:2:3", "merge keys are not allowed")
        expect("? [a, b]\n: 1\n", "t.yaml:1:3", "a key must be a word, not a list or a mapping")
        expect("a: 1\n---\nb: 2\n", "t.yaml:2:1", "a second document in one file")
        expect("", "t.yaml:1:1", "the document is empty")
        expect("# only a comment\n", "t.yaml:1:1", "the document is empty")
    }

    @Test("a tab, a colon in text and an open bracket are told with line and column")
    func syntaxErrors() {
        expect(
            "a:\n\t- b\n",
            "t.yaml:2:1",
            "while scanning for the next token that began at 2:1: found character that cannot start any token",
            fix: "indent with spaces, and quote text that begins like this"
        )
        expect(
            "title: a: b\n",
            "t.yaml:1:9",
            "mapping values are not allowed in this context",
            fix: "quote text that contains a colon and a space"
        )
        expect("a: [1, 2\n", "t.yaml:2:1", nil)
        expect("a: \"b\n", "t.yaml:2:1", nil)
    }

    @Test("bytes that are not UTF-8 and control characters are told with line and column")
    func badBytes() {
        expect(bytes: Array("a: b\nc: d".utf8) + [0xFF, 0x41], "t.yaml:2:5", "a byte that is not UTF-8")
        expect(bytes: Array("ä: ".utf8) + [0xC3], "t.yaml:1:4", "a byte that is not UTF-8")
        expect("a: b\u{1B}[31m\n", "t.yaml:1:5", "a control character, byte 0x1b")
        expect("a: b\u{0}c\n", "t.yaml:1:5", "a control character, byte 0x00")
    }

    @Test("size, depth and number of values are bounded")
    func limits() {
        let small = DocumentLimits(bytes: 200, depth: 3, nodes: 5)
        expect(String(repeating: "#", count: 201), "t.yaml:1:1", nil, limits: small)
        expect("[[[1]]]", "t.yaml:1:4", "nested deeper than 3 levels", limits: small)
        expect("[1, 2, 3, 4, 5]", "t.yaml:1:14", "more than 5 values", limits: small)
        for deep in ["[", "{a: ", "- ", "? "] {
            let bytes = Array(String(repeating: deep, count: 100_000).utf8)
            #expect(throws: Failure.self) { try YAMLReader.read(bytes, named: BytePath("t.yaml")) }
        }
    }

    @Test("no mutation of a document crashes the reader, and every refusal names a place", arguments: 0..<8)
    func mutations(seed: UInt64) {
        var random = SplitMix(state: seed)
        let text = "a: &x [1, 'two', \"t\\u0041\"]\nb:\n  - {c: |\n      text\n    , d: *x}\n  - !t e\n? f\n: g"
        let valid = Array(text.utf8)
        for _ in 0..<500 {
            var bytes = valid
            for _ in 0...random.below(3) {
                let position = random.below(bytes.count)
                switch random.below(3) {
                case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.insert(Array(" \n\t:-?[]{}&*!|>'\"%@`#,".utf8)[random.below(22)], at: position)
                default: bytes.remove(at: position)
                }
            }
            do throws(Failure) {
                _ = try YAMLReader.read(bytes, named: BytePath("t.yaml"))
            } catch {
                #expect(error.code == .malformed && error.subject.wholeMatch(of: /t\.yaml:\d+:\d+/) != nil)
            }
        }
    }
}

/// A small seeded generator, so that a failing mutation can be run again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

func read(_ text: String) throws(Failure) -> Document {
    try YAMLReader.read(Array(text.utf8), named: BytePath("t.yaml"))
}

private func expect(
    _ text: String,
    _ subject: String,
    _ reason: String?,
    fix: String? = nil,
    limits: DocumentLimits = .standard,
    at location: SourceLocation = #_sourceLocation
) {
    expect(bytes: Array(text.utf8), subject, reason, fix: fix, limits: limits, at: location)
}

private func expect(
    bytes: [UInt8],
    _ subject: String,
    _ reason: String?,
    fix: String? = nil,
    limits: DocumentLimits = .standard,
    at location: SourceLocation = #_sourceLocation
) {
    do throws(Failure) {
        let document = try YAMLReader.read(bytes, named: BytePath("t.yaml"), limits: limits)
        Issue.record("read \(document.kindWords)", sourceLocation: location)
    } catch {
        #expect(error.code == .malformed, sourceLocation: location)
        #expect(error.subject == subject, sourceLocation: location)
        if let reason { #expect(error.reason == reason, sourceLocation: location) }
        if let fix { #expect(error.hint == fix, sourceLocation: location) }
    }
}
