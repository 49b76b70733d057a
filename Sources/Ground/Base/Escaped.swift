/// Hostile text made harmless for one kind of sink (RT37). Each sink has its own escaper; nothing is escaped twice.
public enum Escaped {
    /// For a terminal: control characters of C0 and C1, bidirectional and zero-width marks, tag characters, line and
    /// paragraph separators, private use and the backslash become `\n`, `\t`, `\u{202e}` and so on; bytes that are not
    /// UTF-8 become `\xNN`.
    public static func terminal(_ path: BytePath) -> String {
        var output = ""
        for piece in Utf8Pieces(path.bytes) {
            switch piece {
            case .scalar(let scalar): append(scalar, to: &output)
            case .stray(let byte): output += "\\x" + Hex.encode([byte])
            }
        }
        return output
    }

    /// For a terminal, as above, for text that is already a `String`.
    public static func terminal(_ text: String) -> String {
        var output = ""
        for scalar in text.unicodeScalars { append(scalar, to: &output) }
        return output
    }

    private static func append(_ scalar: Unicode.Scalar, to output: inout String) {
        switch scalar {
        case "\\": output += "\\\\"
        case "\n": output += "\\n"
        case "\t": output += "\\t"
        case "\r": output += "\\r"
        default:
            if isDangerous(scalar) {
                output += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                output.unicodeScalars.append(scalar)
            }
        }
    }

    private static func isDangerous(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: true
        default: scalar.properties.isVariationSelector || scalar.properties.isDefaultIgnorableCodePoint
        }
    }
}

/// Walks bytes as UTF-8 scalars and the bytes that belong to none.
struct Utf8Pieces: Sequence, IteratorProtocol {
    enum Piece { case scalar(Unicode.Scalar), stray(UInt8) }

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() -> Piece? {
        guard position < bytes.count else { return nil }
        for length in 1...4 where position + length <= bytes.count {
            let candidate = bytes[position..<position + length]
            if let text = String(validating: candidate, as: UTF8.self), let scalar = text.unicodeScalars.first {
                position += length
                return .scalar(scalar)
            }
        }
        defer { position += 1 }
        return .stray(bytes[position])
    }
}
