internal import ArgumentParser
import Base
import Containment
import Engine
import Response

/// `quell kill`.
struct Kill: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill",
        _superCommandName: "quell",
        abstract: "Kill a frozen session, wait until nothing is left, and watch for a successor.",
        discussion: """
            Refused (exit 5) unless a standard capture of the present freeze is on record and verifies, or --waive gives \
            a reason. Guests inside the session's groups are moved aside and never killed.
            """,
        version: Version.text
    )

    @OptionGroup var options: VerbOptions
    @Option(name: .long, help: ArgumentHelp("How long to look for a successor.", valueName: "seconds"))
    var watch: UInt32 = 5
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let verb = try SingleVerb("kill", options, environment, telling)
        let input = KillAction.Input(session: verb.reference, watch: Int64(watch) * 1_000_000_000)
        let (result, output) = try verb.run(KillAction(verb.place), input)
        if common.json {
            telling.document(try verb.document(result, output))
            return result.outcome
        }
        let killed = output.result
        telling.result("kill \(result.step.state.rawValue): \(Words.count(killed.processes, "process", "processes"))")
        for group in killed.emptied { telling.say("empty        \(group.hierarchy) \(group.path)") }
        for guest in killed.spared { telling.say("spared       \(guest.process.pid) \(guest.name)") }
        verb.tell(result, telling)
        return result.outcome
    }
}
