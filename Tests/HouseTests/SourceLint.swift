/// What swift-format does not see.
struct SourceLint: Sendable {
    /// The words that may not stand in code.
    let words: [String]
    /// Why, as the end of "… is forbidden: ".
    let reason: String
    /// Rooms where the words may stand after all.
    var except: Set<String> = []

    /// The rules for Sources.
    static let all: [SourceLint] = [
        SourceLint(
            words: ["import Foundation"],
            reason: "start-up, size and its repairs of paths; Base has what we need"
        ),
        SourceLint(words: ["JSONEncoder", "JSONDecoder", "JSONSerialization"], reason: "there is one JSON, in Base"),
        SourceLint(words: ["try!", "as!", "unowned(unsafe)"], reason: "a crash is no error message"),
        SourceLint(
            words: ["Task {", "Task.detached", "DispatchQueue"],
            reason: "actions are synchronous (decision 0002)"
        ),
        SourceLint(words: ["print("], reason: "only commands speak", except: ["QuellCommands", "quell"]),
        SourceLint(
            words: ["fatalError("],
            reason: "a crash is no error message; preconditionFailure says what cannot be"
        ),
    ]

    /// No source is longer than this.
    static let longestFile = 450

    /// What is wrong in one source, as sentences.
    static func complaints(about source: Repository.Source) -> [String] {
        var result: [String] = []
        for (number, line) in source.lines.enumerated() {
            for lint in all where !lint.except.contains(source.room ?? "") {
                guard let word = lint.words.first(where: { stands($0, in: line) }) else { continue }
                result.append("\(source.path):\(number + 1): \(word) is forbidden: \(lint.reason)")
            }
        }
        if source.lines.count > longestFile { result.append("\(source.path) has \(source.lines.count) lines") }
        return result
    }

    /// Whether `word` stands in the line and is not the end of a longer name.
    private static func stands(_ word: String, in line: String) -> Bool {
        var rest = Substring(line)
        while let range = rest.firstRange(of: word) {
            let before = rest[..<range.lowerBound].last
            if before.map({ !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "." }) ?? true { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }
}
