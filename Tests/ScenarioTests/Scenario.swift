import Programs

/// One scenario: a text file with what it shows, its commands with all they say, and its input files.
///
///     # A session that does not exist is told as such.
///     needs root
///
///     $ quell freeze cgroup:/nothing-here
///     ! error: [..]
///     ? 2
///
///     --- inventory.yaml ---
///     agents: []
///
/// `$` is a command (no shell; quotes group words), `>` a line of standard output, `!` of standard error, `?` the exit
/// status, 0 when it is not there. `[..]` stands for any text within a line, a line that is only `...` for any number of
/// lines, `[WORK]` for the scenario's own folder, where the input files lie, commands run and the store is `store`,
/// `[GROUP]` for the cgroup that `stage start` puts a session in, `[PID]` for the pid of its leader, `[CASE]` for the
/// first case of the store. Commands find the binary in `$QUELL` and the stage, Tests/ScenarioTests/Scenarios/stage, in `$STAGE`.
/// Output that is not written down is a failure.
struct Scenario: Sendable {
    struct Step: Sendable {
        var line: Int
        var words: [String]
        var output: [String] = []
        var error: [String] = []
        var status: Int32 = 0
    }

    struct Malformed: Error, CustomStringConvertible { let description: String }

    var name: String
    var needs: [String] = []
    var steps: [Step] = []
    var files: [(name: String, text: String)] = []

    /// Reads the text form.
    init(name: String, text: String) throws(Malformed) {
        self.name = name
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        var number = 0
        while number < lines.count {
            let line = lines[number]
            number += 1
            if line.hasPrefix("--- "), line.hasSuffix(" ---") {
                let end = lines[number...].firstIndex { $0.hasPrefix("--- ") && $0.hasSuffix(" ---") } ?? lines.count
                let body = lines[number..<end].map { $0 + "\n" }.joined()
                files.append((String(line.dropFirst(4).dropLast(4)), body))
                number = end
            } else {
                try read(line, number)
            }
        }
        if steps.isEmpty { throw Malformed(description: "\(name) has no command") }
    }

    private mutating func read(_ line: String, _ number: Int) throws(Malformed) {
        if line.isEmpty || line.hasPrefix("#") { return }
        if line.hasPrefix("needs ") {
            needs += line.split(separator: " ").dropFirst().map(String.init)
            return
        }
        if line.hasPrefix("$ ") {
            steps.append(Step(line: number, words: Scenario.words(String(line.dropFirst(2)))))
            return
        }
        let text = String(line.dropFirst(2))
        let hasText = line.count == 1 || line.dropFirst().first == " "
        guard let last = steps.indices.last, hasText else { throw unreadable(line, number) }
        switch line.first {
        case ">": steps[last].output.append(text)
        case "!": steps[last].error.append(text)
        case "?":
            guard let status = Int32(text) else { throw unreadable(line, number) }
            steps[last].status = status
        default: throw unreadable(line, number)
        }
    }

    private func unreadable(_ line: String, _ number: Int) -> Malformed {
        Malformed(description: "\(name):\(number): not a line of a scenario: \(line)")
    }

    /// Splits at spaces; single and double quotes group, nothing else is special.
    static func words(_ text: String) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in text {
            if let open = quote {
                if character == open { quote = nil } else { word?.append(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character == " " {
                if let word { words.append(word) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let word { words.append(word) }
        return words
    }
}
