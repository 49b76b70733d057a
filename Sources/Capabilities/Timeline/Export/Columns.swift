/// Text in columns of a terminal: how many cells a text takes, and cutting and padding by cells.
enum Columns {
    /// The cells of `text`, which must be escaped: wide letters of East Asia and emoji take two, combining marks none.
    static func width(of text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + width(of: $1) }
    }

    /// `text` cut to `cells`, with `…` in the last one when something is cut off.
    static func cut(_ text: String, to cells: Int) -> String {
        guard width(of: text) > cells else { return text }
        guard cells > 0 else { return "" }
        var kept = String.UnicodeScalarView()
        var used = 0
        for scalar in text.unicodeScalars {
            let next = used + width(of: scalar)
            if next > cells - 1 { break }
            kept.append(scalar)
            used = next
        }
        return String(kept) + "…"
    }

    /// `text` cut or filled with blanks to exactly `cells`.
    static func fit(_ text: String, to cells: Int) -> String {
        let short = cut(text, to: cells)
        return short + String(repeating: " ", count: max(0, cells - width(of: short)))
    }

    private static func width(of scalar: Unicode.Scalar) -> Int {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}
