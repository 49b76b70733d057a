internal import ArgumentParser
import Base
import Casework

/// `quell case note`.
struct CaseNote: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "note",
        abstract: "Record what a person wants to say."
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String
    @Argument(help: ArgumentHelp("What to say.", valueName: "text")) var text: String
    @Option(name: .customLong("as"), help: ArgumentHelp("Who speaks.", valueName: "name")) var actor: String?

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let found = try environment.store(common.store).open(try environment.requiredCase(id))
        try found.note(text, by: environment.responder(actor))
        if common.json { telling.document(["case": .string(found.id.text)]) }
        telling.say("recorded in \(found.id)")
        return .done
    }
}
