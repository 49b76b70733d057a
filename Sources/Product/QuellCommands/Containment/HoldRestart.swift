internal import ArgumentParser
import Base
import Casework
import Containment
import Engine
import Response
import Sessions

/// `quell hold-restart`.
struct HoldRestart: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold-restart",
        _superCommandName: "quell",
        abstract: "Hold what could start a session again, or kill it while it is frozen; a freeze does it, too.",
        discussion: """
            A parent that loops and the conmon of a podman container with a restart policy go into a frozen group of \
            Quell's. A unit of systemd's that restarts, is watched, or is started by a socket or another unit gets a \
            drop-in in /run with Restart=no and a condition that never holds, so that nothing starts it, taken up by \
            systemctl daemon-reload; its running watchdog is turned off, and the timers and paths that trigger it are \
            stopped. What a freeze refuses is refused, unless Quell froze it. For a unit of a user's systemd that systemd \
            itself goes into the group: the user's other units run on, and nothing is restarted. The entry of cron's that \
            started it becomes a comment. Exit 3 names what is not held: what systemd does not confirm, OnFailure=, health \
            checks that a timer runs, jobs that wait in at's queue, and daemons that serve more than this session, such \
            as kubelet. \
            `quell thaw` and `quell release-restart` let all of it go.
            """,
        version: Version.text
    )

    @OptionGroup var options: VerbOptions
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(environment, store: common.store, telling: telling)
        let session = try bench.resolve(options.locator, for: "hold-restart")
        let containment = try ContainmentVerb(session, options.effect, bench, environment)
        let home = containment.journal.home(within: .milliseconds(500))
        let result = containment.single.run(
            HoldRestartAction(on: bench.host, home: home, because: containment.journal.whyNoCase),
            HoldRestartAction.Input(session: containment.reference)
        )
        guard let output = result.output else { throw result.step.failure ?? result.unexplained }
        if common.json {
            let home = containment.journal.settle(within: .seconds(2))
            telling.document([
                "state": .string(result.step.state.rawValue),
                "case": home.map { .string($0.id.text) } ?? .null,
                "untrustedResult": try JSONEncoding.value(of: output),
            ])
            return result.outcome
        }
        telling.result("hold-restart \(result.step.state.rawValue)")
        for supervisor in output.result.supervisors where supervisor.isHeld {
            let pid = supervisor.process.map { "\($0.pid) " } ?? ""
            telling.say("restart held \(pid)\(supervisor.name): \(Escaped.terminal(supervisor.detail))")
        }
        if output.result.supervisors.isEmpty { telling.say("note         nothing was found that would start it again") }
        for note in output.result.notes { telling.say("note         \(Escaped.terminal(note))") }
        for reason in result.step.reasons { telling.result("not held     \(Escaped.terminal(reason))") }
        containment.tellCase(containment.journal.settle(within: .seconds(2)), telling)
        return result.outcome
    }
}
