/// Spans of time as systemd writes them: `2s`, `1min 30s`, `1w 2d`. Source: systemd.time(7), `format_timespan` of systemd.
enum TimeSpan {
    private static let units: [String: UInt64] = [
        "us": 1, "ms": 1000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000,
        "w": 604_800_000_000, "month": 2_629_800_000_000, "y": 31_557_600_000_000,
    ]

    /// In microseconds; `nil` for what is none, such as `infinity`. A part of a unit may stand behind a point: `1.5s`.
    static func microseconds(_ text: String) -> UInt64? {
        let words = text.split(separator: " ")
        guard !words.isEmpty else { return nil }
        if words == ["0"] { return 0 }
        var sum: UInt64 = 0
        for word in words {
            let digits = word.prefix { $0.isNumber || $0 == "." }
            guard let unit = units[String(word[digits.endIndex...])], let number = Double(digits), number < 1e6 else {
                return nil
            }
            sum += UInt64((number * Double(unit)).rounded())
        }
        return sum
    }
}
