internal import ArgumentParser
import Base
import Casework
import Engine
import Response

/// `quell resume`.
struct Resume: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Go on where a run was interrupted by a crash, a kill or a lost machine.",
        discussion: """
            Looks at the world for every intent without an outcome, records what it finds, and runs the rest of the \
            graph that stands in the journal. What was done is not done again. Without CASE every open case of the \
            store is looked at.
            """
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String?
    @Option(name: .customLong("as"), help: ArgumentHelp("Who resumes.", valueName: "name")) var actor: String?

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(environment, store: common.store, telling: telling)
        bench.mergeEmergencyRecords(telling)
        var cases: [Case] = []
        if let id {
            cases = [try bench.store.open(try environment.requiredCase(id))]
        } else {
            cases = bench.openCases(telling)
        }
        Interruption.listen()
        var outcomes: [Outcome] = []
        var documents: [JSONValue] = []
        for home in cases {
            do throws(Failure) {
                outcomes += try resume(home, bench, environment, telling, &documents)
            } catch {
                guard id == nil else { throw error }
                telling.tell(error)
                outcomes.append(Outcome(error))
            }
        }
        if outcomes.isEmpty { telling.say("nothing to resume") }
        if common.json { telling.document(["runs": .array(documents)]) }
        return outcomes.first { $0 != .done } ?? .done
    }

    private func resume(
        _ home: Case,
        _ bench: Workbench,
        _ environment: Environment,
        _ telling: Teller,
        _ documents: inout [JSONValue]
    ) throws(Failure) -> [Outcome] {
        let responder = environment.responder(actor)
        let registry = try ActionCatalogue.registry(at: try bench.workplace(home, by: responder))
        var context = RunContext(home, registry, by: responder, reverify: bench.reverifier(of: home))
        let teller = RunTeller(telling)
        context.observe = { event in teller.take(event) }
        context.cancellation = Interruption.cancellation
        context.approvals = bench.approvals(asking: actor)
        let recovery = Recovery(context)
        guard try !recovery.unfinishedRuns().isEmpty else { return [] }
        telling.say("case     \(home.id)")
        var outcomes: [Outcome] = []
        for result in try recovery.resume() {
            let report = RunReport(result: result, home: home)
            if common.json { documents.append(try report.document()) }
            outcomes.append(try report.tell(telling, as: common.json ? .partOfDocument : .text))
        }
        return outcomes
    }
}
