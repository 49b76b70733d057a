internal import ArgumentParser
import Base
import Casework
import Credentials
import Engine
import Response

/// `quell revoke`.
struct Revoke: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Take the declared credentials of a session away and see them refused.",
        discussion: """
            Dead means: seen alive, revoked, then seen refused, and no session of it left. Everything else has its own \
            verdict and exit status 3. Only credentials that the inventory declares are revoked; the server must be the \
            declared one before any secret is sent to it. Works today with: Redis.
            """
    )

    @OptionGroup var options: VerbOptions
    @Option(
        name: .long,
        help: ArgumentHelp("Only these, ids or handles of the inventory, separated by commas.", valueName: "ids")
    )
    var credentials: String = "declared"
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let verb = try SingleVerb("revoke", options, environment, telling)
        let input = RevokeAction.Input(session: verb.reference, credentials: credentials)
        let (result, output) = try verb.run(RevokeAction(verb.place), input)
        if common.json {
            telling.document(try verb.document(result, output))
            return result.outcome
        }
        telling.result("revoke \(result.step.state.rawValue)")
        for receipt in output.receipts { telling.result("             \(receipt.sentence)") }
        for reason in result.step.reasons where !output.receipts.contains(where: { $0.sentence == reason }) {
            telling.result("not done     \(Escaped.terminal(reason))")
        }
        telling.say("case         \(verb.home.id)")
        return result.outcome
    }
}
