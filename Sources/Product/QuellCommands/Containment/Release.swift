internal import ArgumentParser
import Base
import Containment
import Engine
import Kernel
import Response

/// `quell release`.
struct Release: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        _superCommandName: "quell",
        abstract: "Give a session its network back.",
        discussion: """
            Takes away exactly the drops and rules that Quell put there, and lets who carries its network go; every other \
            program and rule stays.
            """,
        version: Version.text
    )

    @OptionGroup var options: VerbOptions
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let verb = try SingleVerb("release", options, environment, telling)
        let (result, output) = try verb.run(
            ReleaseAction(verb.place),
            ReleaseAction.Input(session: verb.reference)
        )
        if common.json {
            telling.document(try verb.document(result, output))
            return result.outcome
        }
        telling.result("release \(result.step.state.rawValue)")
        for drop in output.result.released { telling.say("released     \(drop.group.path)") }
        for drop in output.result.gone { telling.say("gone         the drop of \(drop.group.path), before this") }
        for table in output.result.removed { telling.say("removed      the table \(table.name) of nftables") }
        for pin in output.result.carriers.letGo {
            telling.say("let go       process \(pin.pid), which carries its network")
        }
        verb.tell(result, telling)
        return result.outcome
    }
}
