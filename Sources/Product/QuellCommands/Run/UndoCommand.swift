internal import ArgumentParser
import Base
import Casework
import Engine
import Response

/// `quell undo`.
struct UndoCommand: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo",
        abstract: "Take back what a run did, newest effect first.",
        discussion: """
            What cannot be taken back is named. Nothing ever does this by itself. Taking back a freeze needs what a thaw \
            needs: a capture of the present freeze, or --waive with a reason.
            """
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String
    @Argument(
        help: ArgumentHelp(
            "The run, as `quell case show` names it (default: the newest that did anything and is not taken back).",
            valueName: "run"
        )
    )
    var run: String?
    @Option(name: .long, help: ArgumentHelp("Why; required, because a contained agent runs again.", valueName: "text"))
    var reason: String
    @Option(
        name: .long,
        help: ArgumentHelp("Go on without a capture that counts; recorded as a waiver.", valueName: "reason")
    )
    var waive: String?
    @Option(name: .customLong("as"), help: ArgumentHelp("Who takes it back.", valueName: "name")) var actor: String?

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(environment, store: common.store, telling: telling)
        let home = try bench.store.open(try environment.requiredCase(id))
        let responder = environment.responder(actor)
        let registry = try ActionCatalogue.registry(at: try bench.workplace(home, by: responder))
        var context = RunContext(
            home,
            registry,
            by: responder,
            reason: reason,
            waiver: waive,
            reverify: bench.reverifier(of: home)
        )
        let teller = RunTeller(telling)
        context.observe = { event in teller.take(event) }
        context.approvals = bench.approvals(asking: actor)
        let wanted: String
        if let run { wanted = run } else { wanted = try newest(in: home) }
        let report = RunReport(result: try UndoRun(context).undo(wanted), home: home)
        return try report.tell(telling, as: common.json ? .document : .text)
    }

    private func newest(in home: Case) throws(Failure) -> String {
        let runs = try RunSummary.all(in: try home.journal.verify().verified(of: home.id))
        guard let newest = runs.last(where: { $0.undoes == nil && !$0.isUndone && $0.hasEffects }) else {
            throw Failure(
                .notFound,
                "undo the newest run",
                on: home.id.text,
                because: "the case has none that is not taken back",
                hint: "quell case show \(home.id)"
            )
        }
        return newest.run
    }
}
