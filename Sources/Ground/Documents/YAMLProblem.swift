import Base
import Yams

/// The parser's errors as failures with a place.
enum YAMLProblem {
    static func failure(_ error: any Error, in source: YAMLText) -> Failure {
        guard let problem = error as? YamlError else { return source.place(.start).failure("\(error)") }
        switch problem {
        case .scanner(let context, let words, let mark, _):
            return syntax(context, words, mark, source)
        case .parser(let context, let words, let mark, _):
            return syntax(context, words, mark, source)
        case .composer(_, let words, let mark, _):
            return composition(words, mark, source)
        case .reader(let words, let offset, _, _):
            return source.place(position(ofCharacter: offset, in: source.text)).failure(words)
        case .duplicatedKeysInMapping(let keys, let context):
            return duplicate(keys.first ?? "", context.mark, source)
        case .memory:
            return source.place(.start).failure("nested too deeply")
        default:
            return source.place(.start).failure("\(problem)")
        }
    }

    private static func syntax(
        _ context: YamlError.Context?,
        _ problem: String,
        _ mark: Mark,
        _ source: YAMLText
    ) -> Failure {
        let words = context.map { "\($0.text) that began at \($0.mark): \(problem)" } ?? problem
        return source.place(Position(line: mark.line, column: mark.column)).failure(words, fix: fix(for: problem))
    }

    private static func fix(for problem: String) -> String? {
        if problem.contains("cannot start any token") {
            return "indent with spaces, and quote text that begins like this"
        }
        if problem.contains("did not find expected ',' or") {
            return "close the bracket, and quote text that contains a comma, a bracket or a brace"
        }
        if problem.contains("mapping values are not allowed") { return "quote text that contains a colon and a space" }
        return nil
    }

    private static func composition(_ problem: String, _ mark: Mark, _ source: YAMLText) -> Failure {
        let place = source.place(Position(line: mark.line, column: mark.column))
        if problem.contains("alias") {
            return place.failure("anchors and aliases are not allowed", fix: "write the value out where it is used")
        }
        if problem.contains("another document") {
            return place.failure("a second document in one file", fix: "keep one document in a file")
        }
        return place.failure(problem)
    }

    private static func duplicate(_ key: String, _ mark: Mark, _ source: YAMLText) -> Failure {
        let first = Position(line: mark.line, column: mark.column)
        guard let second = DuplicateSearch(source.text).second(of: key, after: first) else {
            let words = "the key \"\(key)\" stands twice in one mapping"
            return source.place(first).failure(words, fix: "keep one of them")
        }
        return source.place(second).failure(
            "the key \"\(key)\" stands twice in one mapping, first at \(first)",
            fix: "keep one of them"
        )
    }

    private static func position(ofCharacter offset: Int?, in text: String) -> Position {
        guard let offset, let index = text.index(text.startIndex, offsetBy: offset, limitedBy: text.endIndex) else {
            return .start
        }
        return YAMLText.position(ofByte: text.utf8.distance(from: text.startIndex, to: index), in: text.utf8)
    }
}

/// Finds the second place of a key that the parser says stands twice; the parser tells only the first.
struct DuplicateSearch {
    private let lines: [[Unicode.Scalar]]

    init(_ text: String) {
        lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(Array.init)
    }

    /// The next place after `first` where `key` stands as a key: in the same column on a later line (block style), else
    /// the next one anywhere (flow style). `nil` when the key is written in a form this does not know.
    func second(of key: String, after first: Position) -> Position? {
        for line in lines.indices where line + 1 > first.line && isKey(key, line: line, column: first.column) {
            return Position(line: line + 1, column: first.column)
        }
        for line in lines.indices where line + 1 >= first.line {
            let start = line + 1 == first.line ? first.column + 1 : 1
            guard start <= lines[line].count else { continue }
            for column in start...lines[line].count where isKey(key, line: line, column: column) {
                return Position(line: line + 1, column: column)
            }
        }
        return nil
    }

    private func isKey(_ key: String, line: Int, column: Int) -> Bool {
        guard column <= lines[line].count else { return false }
        let before = column >= 2 ? lines[line][column - 2] : " "
        guard " {,-?".unicodeScalars.contains(before) else { return false }
        let tail = lines[line][(column - 1)...]
        return ["\(key)", "\"\(key)\"", "'\(key)'"].contains { written in
            guard tail.starts(with: written.unicodeScalars) else { return false }
            return tail.dropFirst(written.unicodeScalars.count).first { $0 != " " } == ":"
        }
    }
}
