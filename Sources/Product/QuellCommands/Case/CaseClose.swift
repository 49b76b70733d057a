internal import ArgumentParser
import Base
import Casework

/// `quell case close`.
struct CaseClose: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "close",
        abstract: "Close a case: no verb joins it any more. What is frozen stays frozen."
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String
    @Option(name: .long, help: ArgumentHelp("Why.", valueName: "text")) var reason: String = ""
    @Option(name: .customLong("as"), help: ArgumentHelp("Who closes it.", valueName: "name")) var actor: String?

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let found = try environment.store(common.store).open(try environment.requiredCase(id))
        try found.close(because: reason, by: environment.responder(actor))
        if common.json { telling.document(["case": .string(found.id.text)]) }
        telling.say("closed \(found.id)")
        return .done
    }
}
