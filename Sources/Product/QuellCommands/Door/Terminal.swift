import Glibc

/// What the person sits at: whether anybody watches, how wide it is, and whether colour is welcome.
struct Terminal: Sendable {
    /// Whether standard error is a terminal that understands cursor movement.
    let isInteractive: Bool
    /// Whether colour may be used: a terminal, no `NO_COLOR`, no `TERM=dumb`.
    let hasColour: Bool
    /// Columns; 100 when nobody watches.
    let columns: Int
    /// Columns of standard output; `nil` when it is no terminal: a program or a file gets whole lines.
    var resultColumns: Int?

    /// Looks at `descriptor`, where people read, and at `results`.
    static func of(descriptor: Int32, results: Int32, variable: (String) -> String?) -> Terminal {
        let isTerminal = isatty(descriptor) == 1
        let isDumb = variable("TERM") == "dumb" || variable("TERM") == nil
        return Terminal(
            isInteractive: isTerminal && !isDumb,
            hasColour: isTerminal && !isDumb && (variable("NO_COLOR") ?? "").isEmpty,
            columns: columns(of: descriptor) ?? 100,
            resultColumns: isatty(results) == 1 ? columns(of: results) ?? 100 : nil
        )
    }

    /// `nil` when it is no terminal, or one that does not know.
    private static func columns(of descriptor: Int32) -> Int? {
        var size = winsize()
        guard isatty(descriptor) == 1, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 else { return nil }
        return size.ws_col > 0 ? Int(size.ws_col) : nil
    }

    /// `text` in bold, where colour is welcome.
    func strong(_ text: String) -> String { hasColour ? "\u{1B}[1m\(text)\u{1B}[0m" : text }
    /// `text` in green, where colour is welcome.
    func good(_ text: String) -> String { hasColour ? "\u{1B}[32m\(text)\u{1B}[0m" : text }
    /// `text` in red, where colour is welcome.
    func bad(_ text: String) -> String { hasColour ? "\u{1B}[31m\(text)\u{1B}[0m" : text }
}
