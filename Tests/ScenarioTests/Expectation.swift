/// Compares lines with what a scenario expects of them.
enum Expectation {
    /// Whether all lines are as expected; `...` stands for any number of lines.
    static func matches(_ lines: [String], _ expected: [String]) -> Bool {
        matches(lines[...], expected[...])
    }

    private static func matches(_ lines: ArraySlice<String>, _ expected: ArraySlice<String>) -> Bool {
        guard let first = expected.first else { return lines.isEmpty }
        if first == "..." {
            return (lines.startIndex...lines.endIndex).contains { matches(lines[$0...], expected.dropFirst()) }
        }
        guard let line = lines.first, matchesLine(line, first) else { return false }
        return matches(lines.dropFirst(), expected.dropFirst())
    }

    /// Whether one line is as expected; `[..]` stands for any text.
    static func matchesLine(_ line: String, _ expected: String) -> Bool {
        let pieces = split(expected)
        guard let first = pieces.first, line.hasPrefix(first) else { return false }
        if pieces.count == 1 { return line == first }
        var rest = line.dropFirst(first.count)
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard let range = rest.firstRange(of: piece) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(pieces[pieces.count - 1])
    }

    private static func split(_ expected: String) -> [String] {
        var pieces: [String] = []
        var rest = Substring(expected)
        while let range = rest.firstRange(of: "[..]") {
            pieces.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return pieces + [String(rest)]
    }
}
