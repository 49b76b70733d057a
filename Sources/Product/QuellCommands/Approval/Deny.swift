internal import ArgumentParser
import Base
import Casework
import Engine

/// `quell deny`.
struct Deny: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "deny",
        abstract: "Say no to what a run waits for.",
        discussion: """
            The step is refused when the run goes on, and no approval of it counts any more. Whoever may act here may say \
            no: it takes no signature.
            """
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String
    @OptionGroup var choice: ApprovalChoice
    @Option(name: .long, help: ArgumentHelp("Why; recorded in the journal.", valueName: "text")) var reason: String
    @Option(name: .customLong("as"), help: ArgumentHelp("Who says no.", valueName: "name")) var actor: String?

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let home = try environment.store(common.store).open(try environment.requiredCase(id))
        let desk = ApprovalDesk(home)
        let request = try choice.request(at: desk, of: home).request
        try desk.deny(request, because: reason, by: environment.responder(actor))
        if common.json {
            telling.document([
                "case": .string(home.id.text), "run": .string(request.run), "step": .string(request.step),
            ])
            return .done
        }
        telling.result("denied: run \(request.run), step \(request.step)")
        telling.say("next         quell resume \(home.id)")
        return .done
    }
}
