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
            Nothing gives the network back but quell release. Every socket of the session is put on record and then \
            destroyed, also those that were made elsewhere, which the drop does not reach; that cannot be undone. Then \
            a process of Quell's own tries to get out, on old sockets and new ones; a test that fails keeps the cut and \
            ends with status 3.
            """,
        version: Version.text
    )

    @OptionGroup var options: VerbOptions
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Leave this address reachable, such as your log shipper's; may be given again.",
            valueName: "addr[:port]"
        )
    )
    var allow: [String] = []
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        _ = try IsolateAction.allowed(allow)
        let bench = try Workbench(environment, store: common.store, telling: telling)
        let session = try bench.resolve(options.locator, for: "isolate")
        let containment = try ContainmentVerb(session, options.effect, bench, environment)
        let home = containment.journal.home(within: .milliseconds(500))
        let result = containment.single.run(
            IsolateAction(on: bench.host, home: home, because: containment.journal.whyNoCase),
            IsolateAction.Input(session: containment.reference, allow: allow.isEmpty ? nil : allow)
        )
        guard let output = try result.output() else { throw result.step.failure ?? result.unexplained }
        if common.json {
            let home = containment.journal.settle(within: .seconds(2))
            telling.document([
                "state": .string(result.step.state.rawValue),
                "case": home.map { .string($0.id.text) } ?? .null,
                "untrustedResult": try JSONEncoding.value(of: output),
            ])
            containment.wanted.tell(home, telling)
            return result.outcome
        }
        telling.result("isolate \(result.step.state.rawValue)")
        for line in IsolationReport.lines(of: output.result) { telling.say(line) }
        for reason in result.step.reasons { telling.result("not done     \(Escaped.terminal(reason))") }
        // The result first: a store that is slow now may take seconds more.
        containment.tellCase(containment.journal.settle(within: .seconds(2)), telling)
        return result.outcome
    }
}
