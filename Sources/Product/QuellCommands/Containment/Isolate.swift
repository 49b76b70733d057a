internal import ArgumentParser
import Base
import Casework
import Containment
import Documents
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
            destroyed, also those that were made elsewhere, which the drop does not reach; that cannot be undone. What \
            packet sockets send, such as gVisor's, is dropped at the host's end of the session's veth. Who carries a \
            user-mode network for this session alone, such as slirp4netns or pasta, is held until the release. Then \
            a process of Quell's own tries to get out, on old sockets and new ones; a test that fails keeps the cut and \
            ends with status 3. A lease gives nothing back: when it ends, the journals of the case and of the machine and \
            `quell status` (status 3) say so until somebody releases the session.
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
    @Option(
        name: .long,
        help: ArgumentHelp("Remind people after this time, such as 30m or 8h; the cut stays.", valueName: "duration")
    )
    var lease: String?
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        _ = try IsolateAction.allowed(allow)
        var span: Duration?
        if let lease { span = try Isolate.duration(lease) }
        let bench = try Workbench(environment, store: common.store, telling: telling)
        let session = try bench.resolve(options.locator, for: "isolate")
        let containment = try ContainmentVerb(session, options.effect, bench, environment)
        let home = containment.journal.home(within: .milliseconds(500))
        let result = containment.single.run(
            IsolateAction(on: bench.host, home: home, because: containment.journal.whyNoCase),
            IsolateAction.Input(
                session: containment.reference,
                allow: allow.isEmpty ? nil : allow,
                lease: span?.wholeNanoseconds
            )
        )
        guard let output = result.output else { throw result.step.failure ?? result.unexplained }
        if common.json {
            let home = containment.journal.settle(within: .seconds(2))
            telling.document([
                "state": .string(result.step.state.rawValue),
                "case": home.map { .string($0.id.text) } ?? .null,
                "untrustedResult": try JSONEncoding.value(of: output),
            ])
            containment.wanted.tell(home, telling)
            startGuard(home, output, bench, telling)
            return result.outcome
        }
        telling.result("isolate \(result.step.state.rawValue)")
        for line in IsolationReport.lines(of: output.result) { telling.say(line) }
        for reason in result.step.reasons { telling.result("not done     \(Escaped.terminal(reason))") }
        if let lease = output.lease { telling.say("lease        a reminder at \(lease.endsAt); the cut stays") }
        // The result first: a store that is slow now may take seconds more.
        let settled = containment.journal.settle(within: .seconds(2))
        containment.tellCase(settled, telling)
        startGuard(settled, output, bench, telling)
        return result.outcome
    }

    private static func duration(_ text: String) throws(Failure) -> Duration {
        guard let span = Duration(written: text), span > .zero else {
            throw Failure(.usage, "read the lease", on: text, because: "it is not a duration such as 90s, 30m or 8h")
        }
        return span
    }

    /// Without a case there is nothing to remind of; `quell status` tells all the same once there is one.
    private func startGuard(_ home: Case?, _ output: IsolateAction.Output, _ bench: Workbench, _ telling: Teller) {
        guard output.lease != nil, let home else { return }
        do throws(Failure) {
            try Guard.start(for: home, in: bench.store.root)
        } catch {
            telling.warn("nobody reminds of the lease but quell status: \(error)")
        }
    }
}
