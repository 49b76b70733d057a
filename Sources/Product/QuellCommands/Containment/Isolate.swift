internal import ArgumentParser
import Base
import Casework
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
        let bench = try Workbench(environment, store: common.store, telling: telling)
        let session = try bench.resolve(options.locator, for: "isolate")
        let containment = try ContainmentVerb(session, options.effect, bench, environment)
        let result = containment.single.run(
            IsolateAction(on: bench.host, home: nil),
            IsolateAction.Input(session: containment.reference)
        )
        guard let output = try result.output() else { throw result.step.failure ?? result.unexplained }
        if common.json {
            let home = containment.journal.settle(within: .seconds(2))
            telling.document([
                "state": .string(result.step.state.rawValue),
                "case": home.map { .string($0.id.text) } ?? .null,
                "untrustedResult": try JSONEncoding.value(of: output),
            ])
            return result.outcome
        }
        telling.result("isolate \(result.step.state.rawValue)")
        for drop in output.cut.drops { telling.say("network      dropped for \(drop.group.path)") }
        for reason in result.step.reasons { telling.result("not done     \(Escaped.terminal(reason))") }
        // The result first: a store that is slow now may take seconds more.
        containment.tellCase(containment.journal.settle(within: .seconds(2)), telling)
        return result.outcome
    }
}
