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
            tail. Exit status 4 when something does not fit; 3 when it is unsigned: there are outcomes that the key of \
            the store did not sign when they were written, because they are older than `quell init`, or because \
            somebody rebuilt the journal without the key.
            """
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String
    @Flag(name: .long, help: "Check the chain and the checkpoints instead of printing.") var verify = false

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let found = try environment.store(common.store).open(try environment.requiredCase(id))
        guard verify else {
            let lines = try found.journal.export()
            guard common.json else {
                telling.output.bytes(lines)
                return .done
            }
            try telling.document(listing: "untrustedEntries") { (tell: (String) -> Void) throws(Failure) in
                for line in lines.split(separator: UInt8(ascii: "\n")) {
                    tell(CanonicalJSON.text(of: try JSONReader.read(Array(line))))
                }
            }
            return .done
        }
        let result = try found.journal.verify()
        if common.json {
            telling.document([
                "case": .string(found.id.text), "sound": .bool(result.isSound),
                "standing": .string(result.standing.rawValue),
                "entries": .integer(Int64(result.entries.count)), "head": .string(result.head.hex),
                "checkpoints": .integer(Int64(result.checkpoints)),
                "unsignedTail": .integer(Int64(result.unsignedTail.count)),
                "problems": .array(
                    result.problems.map {
                        ["sequence": .integer(Int64(clamping: $0.sequence)), "text": .string($0.text)]
                    }
                ),
                "unread": .array(result.unread.map { .string($0.description) }),
            ])
            return CaseJournal.outcome(of: result)
        }
        tell(result, of: found, telling)
        return CaseJournal.outcome(of: result)
    }

    private func tell(_ result: JournalVerification, of found: Case, _ telling: Teller) {
        for problem in result.problems {
            telling.result("entry \(problem.sequence): \(Escaped.terminal(problem.text))")
        }
        let entries = Words.count(result.entries.count, "entry", "entries")
        let checkpoints = Words.count(result.checkpoints, "signed checkpoint", "signed checkpoints")
        telling.result("journal of \(found.id): \(verdict(result, telling)), \(entries), \(checkpoints)")
        if let first = result.firstUnsigned {
            telling.result(
                "unsigned: the outcome in entry \(first) was not signed when it was written: it is older than the key, "
                    + "or somebody rebuilt the journal without it"
            )
        }
        for failure in result.unread {
            telling.result("not compared: \(Escaped.terminal(failure.description))")
        }
        telling.result("head \(result.head)")
        if let first = result.unsignedTail.first, let last = result.unsignedTail.last {
            telling.result(
                "unsigned tail: entries \(first.sequence) to \(last.sequence); nothing but the chain itself holds them"
            )
        }
    }
    private func verdict(_ result: JournalVerification, _ telling: Teller) -> String {
        switch result.standing {
        case .sound where !result.unread.isEmpty: telling.terminal.bad("not compared with all that tells of it")
        case .sound: telling.terminal.good("sound")
        case .unsigned: telling.terminal.bad("unsigned")
        case .broken: telling.terminal.bad("NOT SOUND")
        }
    }

    private static func outcome(of result: JournalVerification) -> Outcome {
        switch result.standing {
        case .sound: result.unread.isEmpty ? .done : .partial
        case .unsigned: .partial
        case .broken: .notVerified
        }
    }
}
