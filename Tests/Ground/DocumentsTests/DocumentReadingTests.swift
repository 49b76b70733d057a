import Base
import Documents
import Testing

@Suite("Typed reading of documents")
struct DocumentReadingTests {
    @Test("a string is the text as written, quoted or not, but never nothing")
    func strings() throws {
        #expect(try read("yes").string() == "yes")
        #expect(try read("1.20").string() == "1.20")
        #expect(try read("''").string() == "")
        #expect(try read("'null'").string() == "null")
        #expect(reason(of: "~") { try $0.string() } == "expected a text, found nothing")
        #expect(reason(of: "[a]") { try $0.string() } == "expected a text, found a list")
    }

    @Test("a bool is true or false and nothing else")
    func bools() throws {
        #expect(try read("true").bool())
        #expect(try !read("false").bool())
        #expect(reason(of: "yes") { try $0.bool() } == "expected true or false, found \"yes\"")
        #expect(reason(of: "'true'") { try $0.bool() } == "expected true or false, found \"true\"")
    }

    @Test("an int is decimal and in range")
    func ints() throws {
        #expect(try read("-12").int() == -12)
        #expect(reason(of: "0x10") { try $0.int() } == "expected a whole number, found \"0x10\"")
        #expect(reason(of: "1.0") { try $0.int() } == "expected a whole number, found \"1.0\"")
        #expect(reason(of: "9") { try $0.int(in: 0...5) } == "expected a whole number from 0 to 5, found \"9\"")
        #expect(throws: Failure.self) { try read("99999999999999999999").int() }
    }

    @Test(
        "a duration is a whole number with a unit",
        arguments: [("500ms", 500), ("5s", 5000), ("2m", 120_000), ("1h", 3_600_000), ("0s", 0)]
    )
    func durations(text: String, milliseconds: Int64) throws {
        #expect(try read(text).duration() == .milliseconds(milliseconds))
    }

    @Test(
        "what is not a duration is refused",
        arguments: ["5", "5 s", "1.5s", "-5s", "s", "5d", "99999999999999999999s", "9999999h", "٣s"]
    )
    func notDurations(text: String) {
        #expect(
            reason(of: text) { try $0.duration() }
                == "expected a duration such as 500ms, 5s, 2m or 1h, found \"\(text)\""
        )
    }

    @Test("an unknown key is refused at its place and the fix names the nearest known key")
    func unknownKeys() throws {
        let failure = #expect(throws: Failure.self) {
            try read("name: a\nlocatr: b").mapping(known: ["name", "locator", "logs"])
        }
        #expect(failure?.subject == "t.yaml:2:1")
        #expect(failure?.reason == "unknown key \"locatr\"")
        #expect(failure?.hint == "write \"locator\"")
        let far = #expect(throws: Failure.self) { try read("zzzzzz: b").mapping(known: ["name", "logs"]) }
        #expect(far?.hint == "known keys: name, logs")
    }

    @Test("a missing key is told at its mapping")
    func missingKeys() throws {
        let failure = #expect(throws: Failure.self) {
            let items = try read("a:\n  - b: 1").mapping(known: ["a"]).required("a").list()
            _ = try items[0].mapping(known: ["b", "id"]).string("id")
        }
        #expect(failure?.subject == "t.yaml:2:5")
        #expect(failure?.reason == "the key \"id\" is missing")
    }

    @Test("the nearest word counts a swap as one change and gives up on far words")
    func nearestWords() {
        #expect(NearestWord.of("freze", among: ["thaw", "freeze"]) == "freeze")
        #expect(NearestWord.of("isoalte", among: ["freeze", "isolate"]) == "isolate")
        #expect(NearestWord.of("xy", among: ["id"]) == nil)
        #expect(NearestWord.of("", among: ["id"]) == nil)
        #expect(NearestWord.of("anything", among: []) == nil)
    }

    private func reason(of text: String, _ body: (Document) throws -> Any) -> String? {
        do {
            _ = try body(try read(text))
            return nil
        } catch {
            return (error as? Failure)?.reason
        }
    }
}
