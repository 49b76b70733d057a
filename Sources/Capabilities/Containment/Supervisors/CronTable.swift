public import Base
internal import Glibc

/// A line of one of cron's tables that starts something.
public struct CronEntry: Hashable, Sendable, Codable {
    /// The table's path.
    public let table: BytePath
    /// The whole line, without its end.
    public let line: BytePath

    /// Takes both.
    public init(table: BytePath, line: BytePath) {
        self.table = table
        self.line = line
    }
}

/// A line of a table, taken apart. Source: crontab(5).
struct CronLine: Hashable {
    /// What the shell gets behind `-c`: up to the first `%`, with `\%` as `%`.
    let command: [UInt8]
    /// Whether it starts its job only when cron starts first after the machine.
    let isAtBoot: Bool
    /// Whose job it is; `nil` in a user's own table.
    let user: String?

    /// `nil` for comments, settings of the environment and what is no entry. Tables of the system name a user before the
    /// command.
    init?(parsing line: [UInt8], namesUser: Bool) {
        var rest = line[...]
        CronLine.skipBlanks(&rest)
        guard let first = rest.first, first == UInt8(ascii: "*") || first == UInt8(ascii: "@") || isDigit(first) else {
            return nil
        }
        isAtBoot = rest.starts(with: "@reboot".utf8)
        for _ in 0..<(first == UInt8(ascii: "@") ? 1 : 5) {
            guard CronLine.word(&rest) != nil else { return nil }
        }
        if namesUser {
            guard let word = CronLine.word(&rest), let name = String(validating: word, as: UTF8.self) else {
                return nil
            }
            user = name
        } else {
            user = nil
        }
        guard !rest.isEmpty else { return nil }
        var command: [UInt8] = []
        var isEscaped = false
        for byte in rest {
            if byte == UInt8(ascii: "%") {
                if !isEscaped { break }
                command.removeLast()
            }
            isEscaped = byte == UInt8(ascii: "\\")
            command.append(byte)
        }
        self.command = command
    }

    /// The words of a command that needs no shell to be taken apart; `nil` for others. A shell may put itself aside for such
    /// a command.
    var words: [[UInt8]]? {
        let special = Set("|&;<>()$`\\\"'*?[]#~=!{}\n".utf8)
        guard !command.contains(where: special.contains) else { return nil }
        let words = command.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.map(Array.init)
        return words.isEmpty ? nil : words
    }

    /// Whether the first process of a job, by its arguments, was started by this entry: the shell with the command, or the
    /// command itself where the shell put itself aside (with its interpreter in front when it is a script).
    func starts(_ arguments: [BytePath]) -> Bool {
        if arguments.count == 3, arguments[1] == BytePath("-c"), arguments[2].bytes == command { return true }
        guard let words, arguments.count >= words.count else { return false }
        let own = arguments.suffix(words.count).map(\.bytes)
        guard own.dropFirst().elementsEqual(words.dropFirst()), let program = own.first, let word = words.first else {
            return false
        }
        return program == word || !word.contains(UInt8(ascii: "/")) && BytePath(program).lastComponent.bytes == word
    }

    private static func skipBlanks(_ rest: inout ArraySlice<UInt8>) {
        while let first = rest.first, first == UInt8(ascii: " ") || first == UInt8(ascii: "\t") { rest.removeFirst() }
    }

    private static func word(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        let word = Array(rest.prefix { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") })
        rest = rest.dropFirst(word.count)
        skipBlanks(&rest)
        return word.isEmpty ? nil : word
    }
}

private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
