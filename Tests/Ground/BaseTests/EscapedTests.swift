import Base
import Testing

@Suite("escaping")
struct EscapedTests {
    @Test(
        "RT37 nothing that steers a terminal or hides text reaches it",
        arguments: [
            ("\u{1B}[31mred", "\\u{1b}[31mred"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("back\\slash", "back\\\\slash"),
            ("\u{9B}2J", "\\u{9b}2J"),
            ("\u{7F}\u{0}\u{8}", "\\u{7f}\\u{0}\\u{8}"),
            ("user\u{202E}txt.exe", "user\\u{202e}txt.exe"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("a\u{200B}b\u{FEFF}c\u{AD}", "a\\u{200b}b\\u{feff}c\\u{ad}"),
            ("x\u{E0041}\u{E007F}", "x\\u{e0041}\\u{e007f}"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            ("\u{E000}\u{FE0F}\u{3164}", "\\u{e000}\\u{fe0f}\\u{3164}"),
            ("plain text, caf\u{E9}, \u{4E2D}\u{6587}", "plain text, caf\u{E9}, \u{4E2D}\u{6587}"),
        ]
    )
    func terminal(hostile: String, safe: String) {
        #expect(Escaped.terminal(hostile) == safe)
        #expect(Escaped.terminal(BytePath(hostile.utf8.filter { $0 != 0 })) == safe.replacing("\\u{0}", with: ""))
    }

    @Test("RT37 every control and format character is escaped")
    func everyControl() {
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let category = scalar.properties.generalCategory
            guard category == .control || category == .format else { continue }
            var text = ""
            text.unicodeScalars.append(scalar)
            #expect(Escaped.terminal(text).utf8.first == UInt8(ascii: "\\"), "U+\(String(value, radix: 16))")
        }
    }

    @Test("RT37 bytes that are no UTF-8 are shown, each by itself")
    func strayBytes() {
        #expect(Escaped.terminal(BytePath([0x61, 0xC3, 0x28, 0xC3, 0xA9, 0xF0, 0x9F])) == "a\\xc3(\u{E9}\\xf0\\x9f")
        // An overlong slash and a surrogate are no UTF-8.
        #expect(Escaped.terminal(BytePath([0xC0, 0xAF, 0xED, 0xA0, 0x80])) == "\\xc0\\xaf\\xed\\xa0\\x80")
    }

    @Test("escaping keeps different names different")
    func injective() {
        let names = ["\n", "\\n", "\\\\n", "\\u{a}", "\u{1B}", "\\x1b", "\\u{1b}"]
        #expect(Set(names.map { Escaped.terminal($0) }).count == names.count)
    }
}
