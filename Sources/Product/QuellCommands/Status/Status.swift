internal import ArgumentParser
import Base
import Casework
import Response

/// `quell status`: asks the world again whether what was done still stands.
struct Status: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Ask the world again whether every freeze, cut and revocation of the open cases still stands.",
        discussion: "Exit 3 when something is no longer true."
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Only this case.", valueName: "case")) var id: String?

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(environment, store: common.store, telling: telling)
        bench.mergeEmergencyRecords(telling)
        let cases: [Case]
        if let id {
            cases = [try bench.store.open(try environment.requiredCase(id))]
        } else {
            cases = try bench.openCases(telling)
        }
        var documents: [JSONValue] = []
        var stands = true
        for home in cases {
            do throws(Failure) {
                let place = try bench.workplace(home, by: environment.responder(nil))
                let standing = try CaseStanding(of: place)
                stands = stands && standing.stands
                if common.json { documents.append(try document(home, standing)) } else { tell(home, standing, telling) }
            } catch {
                guard id == nil else { throw error }
                telling.tell(error)
                stands = false
            }
        }
        if common.json {
            telling.document(["stands": .bool(stands), "cases": .array(documents)])
        } else if cases.isEmpty {
            telling.result("no open case")
        }
        return stands ? .done : .partial
    }

    private func document(_ home: Case, _ standing: CaseStanding) throws(Failure) -> JSONValue {
        [
            "case": .string(home.id.text), "stands": .bool(standing.stands),
            "facts": .array(
                standing.facts.map { ["holds": .bool($0.holds), "untrustedText": .string($0.text)] }
            ),
            "untrustedLeftovers": .array(
                standing.leftovers.map { .string("\($0.hierarchy) \($0.path)") }
            ),
            "liveRuns": .array(
                standing.liveRuns.map { live in
                    ["run": .string(live.run), "pid": live.holder.pid.map { .integer(Int64($0)) } ?? .null]
                }
            ),
            "unfinishedRuns": .array(standing.unfinishedRuns.map { .string($0) }), "next": .string(standing.next),
        ]
    }

    private func tell(_ home: Case, _ standing: CaseStanding, _ telling: Teller) {
        telling.result("\(telling.terminal.strong("case \(home.id)"))")
        for fact in standing.facts {
            let word = fact.holds ? telling.terminal.good("true     ") : telling.terminal.bad("NO LONGER")
            telling.result("  \(word) \(fact.text)")
        }
        for group in standing.leftovers {
            telling.result("  left      \(group.path) holds nobody any more: the session has ended")
        }
        for live in standing.liveRuns { telling.result("  run \(live.run) goes on: \(live.holder) is at it") }
        for run in standing.unfinishedRuns { telling.result("  run \(run) was interrupted") }
        telling.result("  next: \(standing.next)")
    }
}
