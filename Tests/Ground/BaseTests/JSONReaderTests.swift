import Base
import Testing

@Suite("reading JSON")
struct JSONReaderTests {
    private func read(_ text: String, _ manner: JSONReader.Manner = .strict) throws -> JSONValue {
        try JSONReader.read(Array(text.utf8), manner: manner)
    }

    @Test("every kind of value is read")
    func values() throws {
        let text = #" {"a":[null,true,false,0,-1,1.5,1e3,"x\"\\\/\b\f\n\r\té😀"],"b":{}} "#
        let expected: JSONValue = [
            "a": [nil, true, false, 0, -1, .number(1.5), .number(1000), "x\"\\/\u{8}\u{C}\n\r\t\u{E9}\u{1F600}"],
            "b": .object(JSONObject()),
        ]
        #expect(try read(text) == expected)
    }

    @Test(
        "what RFC 8259 forbids is refused in both manners",
        arguments: [
            "", " ", "{", "[", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}",
            "01", "-",
            "-01", "1.", ".5", "1e", "1e+", "+1", "NaN", "Infinity", "nul", "truee", "\"", "\"\\x\"", "\"\\u12\"",
            "\"\\u12g4\"",
            "\"a\nb\"", "\"\u{1}\"", "1 2", "[] []", "// x\n1", "1e999", "\u{FEFF}1", "[1 2]", "{\"a\":1 \"b\":2}",
        ]
    )
    func refused(text: String) {
        #expect(throws: Failure.self) { try read(text, .strict) }
        #expect(throws: Failure.self) { try read(text, .lenient) }
    }

    @Test("strict refuses a key that stands twice; lenient keeps both")
    func duplicates() throws {
        let text = #"{"a":1,"b":2,"a":3}"#
        #expect(throws: Failure.self) { try read(text) }
        let object = try #require(try read(text, .lenient).object)
        #expect(object.members.map(\.key) == ["a", "b", "a"])
        #expect(object["a"] == 1)
    }

    @Test("keys are compared by bytes: two that look alike are two")
    func keys() throws {
        let object = try #require(try read("{\"caf\u{E9}\":1,\"cafe\u{301}\":2}").object)
        #expect(object.members.count == 2)
        #expect(object["caf\u{E9}"] == 1)
        #expect(object["cafe\u{301}"] == 2)
    }

    @Test("values are equal by bytes too")
    func equality() {
        let composed: JSONValue = ["caf\u{E9}": "caf\u{E9}"]
        #expect(JSONValue.string("caf\u{E9}") != JSONValue.string("cafe\u{301}"))
        #expect(composed != ["cafe\u{301}": "caf\u{E9}"])
        #expect(composed != ["caf\u{E9}": "cafe\u{301}"])
        #expect(composed == ["caf\u{E9}": "caf\u{E9}"])
    }

    @Test("strict refuses bytes that are no UTF-8 and lone surrogates; lenient repairs them")
    func encoding() throws {
        let broken: [UInt8] = [0x22, 0x61, 0xFF, 0x22]
        #expect(throws: Failure.self) { try JSONReader.read(broken) }
        #expect(try JSONReader.read(broken, manner: .lenient) == "a\u{FFFD}")
        for text in [#""\ud800""#, #""\udc00""#, #""\ud800x""#, #""\ud800A""#] {
            #expect(throws: Failure.self) { try read(text) }
        }
        #expect(try read(#""\ud800A""#, .lenient) == "\u{FFFD}A")
        #expect(try read(#""\udc00\ud83d\ude00""#, .lenient) == "\u{FFFD}\u{1F600}")
    }

    @Test("integers are exact to 64 bits; beyond they become the nearest double")
    func integers() throws {
        #expect(try read("9223372036854775807") == .integer(.max))
        #expect(try read("-9223372036854775808") == .integer(.min))
        #expect(try read("9223372036854775808") == .number(9_223_372_036_854_775_808))
        #expect(try read("-0") == 0)
    }

    @Test("nesting is bounded exactly where the limit says")
    func depth() throws {
        let limits = JSONReader.Limits(depth: 3)
        #expect(try JSONReader.read(Array("[[[1]]]".utf8), limits: limits) == [[[1]]])
        #expect(throws: Failure.self) { try JSONReader.read(Array("[[[[]]]]".utf8), limits: limits) }
        #expect(throws: Failure.self) { try JSONReader.read(Array(#"{"a":{"b":{"c":{}}}}"#.utf8), limits: limits) }
        let bomb = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(throws: Failure.self) { try JSONReader.read(bomb, manner: .lenient) }
    }

    @Test("size is bounded")
    func size() {
        #expect(throws: Failure.self) { try JSONReader.read(Array("[1,2]".utf8), limits: JSONReader.Limits(bytes: 4)) }
    }

    @Test("an object of 100,000 keys is read in time that grows with its size, not with its square")
    func manyKeys() throws {
        let text = "{" + (0..<100_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}"
        #expect(try read(text).object?.members.count == 100_000)
    }

    @Test("an error names the byte where it stands")
    func place() {
        let failure = #expect(throws: Failure.self) { try read("[1,x]") }
        #expect(failure?.subject == "byte 3")
        #expect(failure?.code == .malformed)
    }

    @Test("no mutation of a document crashes the reader, and what it accepts it reads again alike")
    func mutations() throws {
        let seed = Array(#"{"a":[1,-2.5e3,"é😀\n",{"b":null}],"c":true,"d":"é"}"#.utf8)
        var state: UInt64 = 42
        func next(_ bound: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(bound))
        }
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = seed
            for _ in 0...next(3) {
                switch next(3) {
                case 0: bytes[next(bytes.count)] = UInt8(next(256))
                case 1: bytes.remove(at: next(bytes.count))
                default: bytes.insert(seed[next(seed.count)], at: next(bytes.count))
                }
            }
            guard let value = try? JSONReader.read(bytes, manner: .lenient) else { continue }
            accepted += 1
            let canonical = CanonicalJSON.bytes(of: value)
            #expect(CanonicalJSON.bytes(of: try JSONReader.read(canonical, manner: .lenient)) == canonical)
        }
        #expect(accepted > 100)
    }
}
