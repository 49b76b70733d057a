internal import ArgumentParser
import Base
import Containment
import Engine
import Response

/// `quell isolate`.
struct Isolate: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "isolate",
        _superCommandName: "quell",
        abstract: "Drop the network of a session both ways, frozen or not.",
        discussion: """
            Nothing gives the network back by itself. Sockets that were opened before their process was moved into the \
            group are not reached by the drop; they are listed.
            """,
        version: Version.text
    )

    @OptionGroup var options: VerbOptions
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let verb = try SingleVerb("isolate", options, environment, telling)
        let (result, output) = try verb.run(
            IsolateAction(verb.place),
            IsolateAction.Input(session: verb.reference)
        )
        if common.json {
            telling.document(try verb.document("isolate", result, output))
            return result.outcome
        }
        telling.result("isolate \(result.step.state.rawValue)")
        for drop in output.cut.drops { telling.say("network      dropped for \(drop.group.path)") }
        verb.tell(result, telling)
        return result.outcome
    }
}
