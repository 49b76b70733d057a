import Base

/// One token of an expression.
struct ExpressionToken {
    enum Kind: Hashable {
        case word(String)
        case text(String)
        case sign(String)
        case end
    }

    let kind: Kind
    /// In characters from the start of the text.
    let offset: Int

    var words: String {
        switch kind {
        case .word(let word): "\"\(word)\""
        case .text(let text): "the text '\(text)'"
        case .sign(let sign): "\"\(sign)\""
        case .end: "the end"
        }
    }
}

/// Cuts the text of an expression into tokens.
enum ExpressionLexer {
    private static let signs = ["==", "!=", "&&", "||", "!", "(", ")"]

    static func tokens(_ text: String, _ source: ExpressionSource) throws(Failure) -> [ExpressionToken] {
        let characters = Array(text.unicodeScalars)
        var tokens: [ExpressionToken] = []
        var position = 0
        while position < characters.count {
            let start = position
            let character = characters[position]
            if character == " " || character == "\n" || character == "\t" {
                position += 1
            } else if let sign = signs.first(where: { characters[position...].starts(with: $0.unicodeScalars) }) {
                position += sign.unicodeScalars.count
                tokens.append(ExpressionToken(kind: .sign(sign), offset: start))
            } else if character == "'" || character == "\"" {
                guard let end = characters[(position + 1)...].firstIndex(of: character) else {
                    throw source.failure(at: start, "a text is not closed", fix: "add \(character)")
                }
                tokens.append(ExpressionToken(kind: .text(string(characters[(position + 1)..<end])), offset: start))
                position = end + 1
            } else if isWord(character) {
                while position < characters.count, isWord(characters[position]) { position += 1 }
                tokens.append(ExpressionToken(kind: .word(string(characters[start..<position])), offset: start))
            } else {
                throw source.failure(at: start, "unexpected \"\(character)\"", fix: fix(for: character))
            }
        }
        return tokens + [ExpressionToken(kind: .end, offset: characters.count)]
    }

    /// Letters, digits, `_` and `-`.
    static func isWordByte(_ byte: UInt8) -> Bool {
        isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
            || byte == UInt8(ascii: "-")
    }

    static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) && byte < 0x80
    }

    private static func isWord(_ character: Unicode.Scalar) -> Bool {
        character.isASCII && (isWordByte(UInt8(character.value)) || character == ".")
    }

    private static func string(_ characters: ArraySlice<Unicode.Scalar>) -> String {
        var text = ""
        text.unicodeScalars.append(contentsOf: characters)
        return text
    }

    private static func fix(for character: Unicode.Scalar) -> String? {
        switch character {
        case "=": "compare with =="
        case "&": "write &&"
        case "|": "write ||"
        case "$", "{", "}": "write parameters.NAME without ${ }"
        case "<", ">": "only == and != compare"
        default: nil
        }
    }
}
