internal import ArgumentParser
import Base
import Casework
import Kernel
import Sessions

/// `quell`: without a command, what runs here that looks like an agent, the open cases, and the next command.
struct Quell: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "quell",
        abstract: "Stop a rogue AI agent and keep the proof.",
        discussion: """
            Without a command: what looks like agents here, open cases, and the next command.

            The main job:  quell run contain-rogue-agent --session LOCATOR
            Only stop it:  quell freeze LOCATOR

            LOCATOR is \(Locator.forms).

            Exit status:
            \(exitStatuses)
            """,
        version: Version.text,
        subcommands: [
            Status.self, SessionsCommand.self, Freeze.self, Thaw.self, Isolate.self, Release.self, HoldRestart.self,
            ReleaseRestart.self, Kill.self, Run.self, Resume.self,
            UndoCommand.self, Approve.self, Deny.self, Init.self, Capture.self, BundleCommand.self, Revoke.self,
            TimelineCommand.self,
            PlaybookCommand.self, CaseCommand.self, Worker.self, Guard.self,
        ]
    )

    private static let exitStatuses = Outcome.allCases.map { outcome in
        let number = String(outcome.rawValue)
        return "  \(String(repeating: " ", count: 3 - number.count))\(number)  \(outcome.meaning)"
    }
    .joined(separator: "\n")

    @OptionGroup var common: CommonOptions

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(environment, store: common.store, telling: telling)
        bench.mergeEmergencyRecords(telling)
        // Whoever has no right sees what everybody may see, and is told what is missing (exit 3).
        var failures: [Failure] = []
        let inventory = try permitted(else: Inventory.empty, for: environment.userID, &failures) { () throws(Failure) in
            try bench.inventory()
        }
        let overview = try Overview.look(at: bench.host, inventory: inventory, by: Deadline(after: .seconds(5)))
        failures += overview.failures
        let seen = bench.seenCases()
        failures += seen.failures
        if common.json {
            telling.document([
                "untrustedAgents": try JSONEncoding.value(of: overview.agents),
                "openCases": .array(seen.cases.map { .string($0.id.text) }), "unreadableCases": seen.document,
            ])
            warn(failures, environment, telling)
            return failures.isEmpty ? .done : .partial
        }
        tell(overview, environment, telling)
        for home in seen.cases { telling.result("case     \(home.id)  next: quell status \(home.id)") }
        seen.tell(telling)
        warn(failures, environment, telling)
        if bench.store.key == nil, environment.userID == 0 {
            telling.say("hint: quell init makes a key, so that bundles are signed")
        }
        return failures.isEmpty ? .done : .partial
    }

    /// Without rights one hint says it all.
    private func warn(_ failures: [Failure], _ environment: Environment, _ telling: Teller) {
        guard environment.userID != 0 else {
            for failure in failures { telling.warnAbout(failure) }
            return
        }
        for failure in failures { telling.warn(failure.description) }
        if !failures.isEmpty { telling.say("hint: sudo quell shows everything") }
    }

    private func permitted<Value>(
        else fallback: Value,
        for userID: UInt32,
        _ failures: inout [Failure],
        _ read: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        do throws(Failure) {
            return try read()
        } catch {
            // A store of root's is refused to everybody else, which is no reason to show them nothing.
            let isOthers = error.code == .refused && userID != 0
            guard error.code == .notPermitted || isOthers else { throw error }
            failures.append(error)
            return fallback
        }
    }

    private func tell(_ overview: Overview, _ environment: Environment, _ telling: Teller) {
        if overview.agents.isEmpty { telling.result("nothing here looks like an agent") }
        for agent in overview.agents {
            let age = Words.age(environment.now().since(agent.started))
            let user = agent.uid.map { "uid \($0)" } ?? "uid unknown"
            let processes = Words.count(agent.processes, "process", "processes")
            telling.result(
                "\(telling.terminal.strong(Escaped.terminal(agent.kind)))  pid \(agent.leader.pid)  \(user)  \(processes)  "
                    + "up \(age)  sent \(Words.bytes(agent.bytesSent))"
            )
            telling.result("         why: \(agent.signs.map(\.description).joined(separator: ", "))")
            for peer in agent.peers.prefix(3) {
                telling.result("         peer \(peer.endpoint)  sent \(Words.bytes(peer.bytesSent))")
            }
            telling.result("         next: \(agent.nextCommand)")
        }
    }
}
