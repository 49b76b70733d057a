import Glibc

/// What the person sits at: whether anybody watches, how wide it is, and whether colour is welcome.
struct Terminal: Sendable {
    /// Whether standard error is a terminal that understands cursor movement.
    let isInteractive: Bool
    /// Whether colour may be used: a terminal, no `NO_COLOR`, no `TERM=dumb`.
    let hasColour: Bool
    /// Columns; 100 when nobody watches.
    let columns: Int

    /// Looks at `descriptor`.
    static func of(descriptor: Int32, variable: (String) -> String?) -> Terminal {
        let isTerminal = isatty(descriptor) == 1
        let isDumb = variable("TERM") == "dumb" || variable("TERM") == nil
        var size = winsize()
        let isMeasured = isTerminal && ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return Terminal(
            isInteractive: isTerminal && !isDumb,
            hasColour: isTerminal && !isDumb && (variable("NO_COLOR") ?? "").isEmpty,
            columns: isMeasured ? Int(size.ws_col) : 100
        )
    }

    /// `text` in bold, where colour is welcome.
    func strong(_ text: String) -> String { hasColour ? "\u{1B}[1m\(text)\u{1B}[0m" : text }
    /// `text` in green, where colour is welcome.
    func good(_ text: String) -> String { hasColour ? "\u{1B}[32m\(text)\u{1B}[0m" : text }
    /// `text` in red, where colour is welcome.
    func bad(_ text: String) -> String { hasColour ? "\u{1B}[31m\(text)\u{1B}[0m" : text }
}
