import Base
import Bundles
import Testing

@Suite("Payload names")
struct PayloadNameTests {
    @Test(
        "a payload name is data/ and components of the closed alphabet",
        arguments: ["data/session.json", "data/files/workspace.pax.zst.000", "data/a_b-c/0"]
    )
    func accepts(text: String) throws {
        #expect(try PayloadName(text).text == text)
    }

    @Test(
        "a payload name that BagIt tools disagree about is refused",
        arguments: [
            "", "data", "data/", "session.json", "data//a", "data/../a", "data/./a", "data/.a", "/data/a", "data/A",
            "data/a b", "data/a%0a", "data/a\\b", "data/a\nb", "data/a\r", "data/é",
            "data/" + String(repeating: "a", count: 96),
        ]
    )
    func refuses(text: String) {
        #expect(throws: Failure.self) { try PayloadName(text) }
    }
}
