import Base
import Testing

@Suite("byte paths")
struct BytePathTests {
    @Test("two names that a String would make equal stay two")
    func equivalence() {
        let composed = BytePath("caf\u{E9}")
        let decomposed = BytePath("cafe\u{301}")
        #expect("caf\u{E9}" == "cafe\u{301}")
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
    }

    @Test("bytes that are no UTF-8 are kept, and have no text")
    func invalid() {
        let path = BytePath([0x2F, 0xFF, 0xFE])
        #expect(path.bytes == [0x2F, 0xFF, 0xFE])
        #expect(path.text == nil)
        #expect(path.description == "/\\xff\\xfe")
    }

    @Test("a path ends at the first NUL, as in the kernel")
    func nul() {
        #expect(BytePath([0x61, 0, 0x62]).bytes == [0x61])
    }

    @Test(
        "parents and last components",
        arguments: [
            ("/a/b", "/a", "b"), ("/a", "/", "a"), ("a", "", "a"), ("/", "/", ""), ("", "", ""), ("/a//b/", "/a", "b"),
            ("a/b", "a", "b"), ("/a/..", "/a", ".."),
        ]
    )
    func parts(path: String, parent: String, last: String) {
        #expect(BytePath(path).parent == BytePath(parent))
        #expect(BytePath(path).lastComponent == BytePath(last))
    }

    @Test(
        "appending puts exactly one slash between",
        arguments: [("/a", "b", "/a/b"), ("/a/", "b", "/a/b"), ("/a", "/b", "/a/b"), ("", "b", "b"), ("/", "b", "/b")]
    )
    func appending(left: String, right: String, whole: String) {
        #expect(BytePath(left).appending(right) == BytePath(whole))
    }

    @Test("below is judged by components, not by characters")
    func below() {
        #expect(BytePath("/a/b").isAtOrBelow(BytePath("/a")))
        #expect(BytePath("/a").isAtOrBelow(BytePath("/a/")))
        #expect(!BytePath("/ab").isAtOrBelow(BytePath("/a")))
        #expect(!BytePath("a/b").isAtOrBelow(BytePath("/a")))
        #expect(!BytePath("/").isAtOrBelow(BytePath("/a")))
    }

    @Test("order is by bytes")
    func order() {
        let sorted = [BytePath([0xFF]), BytePath("b"), BytePath("B"), BytePath("a/b"), BytePath("a")].sorted()
        #expect(sorted == [BytePath("B"), BytePath("a"), BytePath("a/b"), BytePath("b"), BytePath([0xFF])])
    }

    @Test("a C string has the bytes and a NUL")
    func cString() {
        let seen = BytePath("ab").withCString { [$0[0], $0[1], $0[2]] }
        #expect(seen == [0x61, 0x62, 0])
    }

    @Test("coding keeps every byte", arguments: [[0x61], [0xFF, 0x0A], [0xC3, 0xA9], [], Array("a\\\"\n".utf8)])
    func coding(bytes: [UInt8]) throws {
        let path = BytePath(bytes)
        let value = try JSONEncoding.value(of: path)
        #expect(try JSONDecoding.decode(BytePath.self, from: value) == path)
        #expect((value.string == nil) == (path.text == nil))
    }

    @Test("a coded path with a NUL within is refused, because it would become another path")
    func codedNul() {
        #expect(throws: Failure.self) { try JSONDecoding.decode(BytePath.self, from: "a\u{0}b") }
        #expect(throws: Failure.self) { try JSONDecoding.decode(BytePath.self, from: ["bytes": "YQBi"]) }
        #expect(throws: Failure.self) { try JSONDecoding.decode(BytePath.self, from: ["bytes": "!"]) }
    }
}
