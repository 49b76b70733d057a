internal import ArgumentParser
import Base

/// A command of Quell: the parser's `run()` builds the real environment, ``run(in:telling:)`` does the work and is what
/// tests call (STYLE habit 3).
protocol QuellCommand: ParsableCommand, CommandBody {
    /// The options that every command has.
    var common: CommonOptions { get }
}

extension QuellCommand {
    static var words: String { CommandWords.of(Self.self, in: Quell.self)?.joined(separator: " ") ?? "overview" }

    var wantsJSON: Bool { common.json }
    var isQuiet: Bool { common.quiet }
    var chosenStore: String? { common.store }

    /// Runs in the real world and ends the process with the outcome's status.
    func run() throws {
        leave(with: outcome(in: Environment.live()))
    }
}
