internal import ArgumentParser
import Base
import Casework

/// `quell case journal`.
struct CaseJournal: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "Print the journal of a case, or verify it.",
        discussion: """
            Without --verify each entry is one line of canonical JSON, digest-chained to the one before. With --verify \
            the chain and every signed checkpoint are checked; the entries behind the last checkpoint are the unsigned \
            tail. Exit status 4 when something does not fit.
            """
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String
    @Flag(name: .long, help: "Check the chain and the checkpoints instead of printing.") var verify = false

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let found = try environment.store(common.store).open(try environment.requiredCase(id))
        guard verify else {
            telling.output.bytes(try found.journal.export())
            return .done
        }
        let result = try found.journal.verify()
        if common.json {
            telling.document([
                "quell": 1, "case": .string(found.id.text), "sound": .bool(result.isSound),
                "entries": .integer(Int64(result.entries.count)), "head": .string(result.head.hex),
                "checkpoints": .integer(Int64(result.checkpoints)),
                "unsignedTail": .integer(Int64(result.unsignedTail.count)),
                "problems": .array(
                    result.problems.map {
                        ["sequence": .integer(Int64(clamping: $0.sequence)), "text": .string($0.text)]
                    }
                ),
            ])
            return result.isSound ? .done : .notVerified
        }
        tell(result, of: found, telling)
        return result.isSound ? .done : .notVerified
    }

    private func tell(_ result: JournalVerification, of found: Case, _ telling: Teller) {
        for problem in result.problems {
            telling.result("entry \(problem.sequence): \(Escaped.terminal(problem.text))")
        }
        let entries = Words.count(result.entries.count, "entry", "entries")
        let checkpoints = Words.count(result.checkpoints, "signed checkpoint", "signed checkpoints")
        let verdict = result.isSound ? telling.terminal.good("sound") : telling.terminal.bad("NOT SOUND")
        telling.result("journal of \(found.id): \(verdict), \(entries), \(checkpoints)")
        telling.result("head \(result.head)")
        if let first = result.unsignedTail.first, let last = result.unsignedTail.last {
            telling.result(
                "unsigned tail: entries \(first.sequence) to \(last.sequence); nothing but the chain itself holds them"
            )
        }
    }
}
