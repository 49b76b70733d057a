import Base
import Testing

@Suite("coding values as JSON")
struct CodingTests {
    struct Everything: Codable, Equatable {
        enum Kind: String, Codable { case one, two }
        enum Effect: Codable, Equatable { case freeze(path: BytePath, depth: Int), thaw, note(String) }
        var text = "x"
        var flag = true
        var small = 7
        var large = UInt64.max
        var negative = Int64.min
        var edge: Int64 = 9_007_199_254_740_991
        var beyond: Int64 = 9_007_199_254_740_992
        var byte = UInt8.max
        var ratio = 0.1
        var single: Float = 0.5
        var missing: Int?
        var present: Int? = 3
        var kind = Kind.two
        var effects = [Effect.freeze(path: BytePath([0xFF]), depth: 2), .thaw, .note("n")]
        var nested = ["a": [1, 2], "b": []]
        var gaps: [Int?] = [1, nil]
        var when = Instant(nanoseconds: 1)
        var raw: JSONValue = ["k": [nil, 1]]
        var code = Failure.Code.refused
    }

    @Test("everything survives, integers beyond 53 bits too")
    func roundTrip() throws {
        let bytes = try JSONEncoding.canonicalBytes(of: Everything())
        #expect(try JSONDecoding.decode(Everything.self, from: bytes) == Everything())
    }

    @Test("integers beyond 53 bits are text, others are numbers")
    func integers() throws {
        let value = try JSONEncoding.value(of: Everything())
        #expect(value["large"] == "18446744073709551615")
        #expect(value["negative"] == "-9223372036854775808")
        #expect(value["edge"] == 9_007_199_254_740_991)
        #expect(value["beyond"] == "9007199254740992")
        #expect(value["missing"] == nil)
    }

    @Test(
        "an integer has one form: text only beyond 53 bits, no sign, zeros or spaces",
        arguments: [
            "1", "-1", "+9007199254740992", "09007199254740992", " 9007199254740992", "9007199254740991", "x", "",
        ]
    )
    func oneForm(text: String) {
        #expect(throws: Failure.self) { try JSONDecoding.decode(Int64.self, from: .string(text)) }
    }

    @Test("a number out of range is an error, never cut")
    func range() {
        #expect(throws: Failure.self) { try JSONDecoding.decode(UInt8.self, from: 256) }
        #expect(throws: Failure.self) { try JSONDecoding.decode(UInt.self, from: -1) }
        #expect(throws: Failure.self) { try JSONDecoding.decode(Int.self, from: .number(1.5)) }
    }

    @Test("numbers that JSON does not have are refused", arguments: [Double.nan, .infinity, -.infinity])
    func notFinite(number: Double) {
        #expect(throws: Failure.self) { try JSONEncoding.value(of: [number]) }
        #expect(throws: Failure.self) { try JSONEncoding.value(of: ["a": Float(number)]) }
    }

    @Test("an error names the member that does not fit")
    func place() {
        struct Inner: Codable { let b: Int }
        struct Outer: Codable { let a: Inner }
        let wrong = #expect(throws: Failure.self) { try JSONDecoding.decode(Outer.self, from: ["a": ["b": "x"]]) }
        #expect(wrong?.subject == "a.b")
        let missing = #expect(throws: Failure.self) { try JSONDecoding.decode(Outer.self, from: ["a": [:]]) }
        #expect(missing?.reason == "member b is missing")
    }

    @Test("a list of 200,000 elements and an object of 50,000 members are coded in time that grows with their size")
    func large() throws {
        let list = Array(0..<200_000)
        #expect(try JSONDecoding.decode([Int].self, from: try JSONEncoding.value(of: list)) == list)
        let members = Dictionary(uniqueKeysWithValues: (0..<50_000).map { ("k\($0)", $0) })
        #expect(try JSONDecoding.decode([String: Int].self, from: try JSONEncoding.value(of: members)) == members)
    }

    @Test("setting a member replaces it, and nil takes it away")
    func members() {
        var object = JSONObject()
        object["a"] = 1
        object["b"] = 2
        object["a"] = 3
        #expect(object.members.map(\.key) == ["a", "b"])
        #expect(object["a"] == 3)
        object["a"] = nil
        #expect(object.members.map(\.key) == ["b"])
    }

    @Test("pins write themselves by hand as Swift would: every part under its name, and back")
    func pinsByHand() throws {
        let process = ProcessPin(pid: 7, startTicks: .max)
        let group = CgroupPin(hierarchy: "v2", path: BytePath([0x2F, 0xFF]), inode: 9)
        let whole = SessionPin(bootID: "b", cgroups: [group], leader: process)
        let headless = SessionPin(bootID: "b", cgroups: [], leader: nil)
        #expect(try CodingTests.members(of: process) == CodingTests.parts(of: process))
        #expect(try CodingTests.members(of: group) == CodingTests.parts(of: group))
        #expect(try CodingTests.members(of: whole) == CodingTests.parts(of: whole))
        #expect(try CodingTests.members(of: headless) == ["bootID", "cgroups"])
        for pin in [whole, headless] {
            #expect(try JSONDecoding.decode(SessionPin.self, from: JSONEncoding.value(of: pin)) == pin)
        }
    }

    private static func members(of value: some Encodable) throws -> [String] {
        try JSONEncoding.value(of: value).object?.members.map(\.key).sorted() ?? []
    }

    private static func parts(of value: Any) -> [String] {
        Mirror(reflecting: value).children.compactMap(\.label).sorted()
    }
}
