internal import ArgumentParser
import Base
import Casework
import Containment
import Engine
import Kernel
import Response
import Sessions

/// `quell release-restart`: works on a case, because after a kill no locator finds the session any more.
struct ReleaseRestart: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "release-restart",
        _superCommandName: "quell",
        abstract: "Let go what could start the sessions of a case again.",
        discussion: """
            What is frozen stays frozen. After a kill: first take the restart policy or the loop away, or the agent comes \
            back the moment its supervisor runs.
            """,
        version: Version.text
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String
    @Option(name: .long, help: ArgumentHelp("Why; recorded in the journal.", valueName: "text")) var reason: String?
    @Option(name: .customLong("as"), help: ArgumentHelp("Who lets it go.", valueName: "name")) var actor: String?

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(environment, store: common.store, telling: telling)
        bench.mergeEmergencyRecords(telling)
        let home = try bench.store.open(try environment.requiredCase(id))
        let responder = environment.responder(actor)
        let place = try bench.workplace(home, by: responder)
        var outcomes: [Outcome] = []
        var documents: [JSONValue] = []
        for pin in try home.subjects() where pin.bootID == bench.host.bootID {
            let held = try HeldSession(of: pin, in: home, on: bench.host)
            guard !held.supervisors.isEmpty || !held.peers.isEmpty || !held.heldUnits.isEmpty else { continue }
            let locator = pin.leader.map { Locator.pid($0.pid) } ?? .cgroup(pin.cgroups.first?.path ?? BytePath("/"))
            var single = Single(in: home, by: responder, reason: reason ?? "", reverify: bench.reverifier(of: home))
            single.cancellation = Interruption.cancellation
            single.approvals = bench.approvals(asking: actor)
            let result = single.run(
                ReleaseRestartAction(place),
                ReleaseRestartAction.Input(session: SessionReference(locator: locator, pin: pin))
            )
            if result.step.state == .waiting, !common.json { try ApprovalNotice(home).tell(run: result.run, telling) }
            guard let output = result.output else { throw result.step.failure ?? result.unexplained }
            outcomes.append(result.outcome)
            documents.append(try JSONEncoding.value(of: output))
            if common.json { continue }
            telling.result("release-restart \(result.step.state.rawValue)")
            for process in output.result.letGo { telling.say("runs again   \(process.pid)") }
            for unit in output.result.units { telling.say("let go       \(Escaped.terminal(unit))") }
            for reason in result.step.reasons { telling.result("not done     \(Escaped.terminal(reason))") }
        }
        if common.json {
            telling.document([
                "case": .string(home.id.text),
                "untrustedResults": .array(documents),
            ])
        } else if outcomes.isEmpty {
            telling.result("nothing is held in this case")
        }
        return outcomes.first { $0 != .done } ?? .done
    }
}
