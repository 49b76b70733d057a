internal import ArgumentParser
import Base
import Casework
import Containment
import Engine
import Response

/// `quell status`: asks the world again whether what was done still stands.
struct Status: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Ask the world again whether every freeze, cut and revocation of the open cases still stands.",
        discussion: """
            Exit 3 when something is no longer true, a lease is overdue, or a case cannot be read. --follow goes on and \
            adds a line for each change, also on a dumb terminal and over a slow link, until Ctrl-C (status 130).
            """
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Only this case.", valueName: "case")) var id: String?
    @Flag(name: .customLong("follow"), help: "Go on, and say what changes.") var follows = false

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(environment, store: common.store, telling: telling)
        bench.mergeEmergencyRecords(telling)
        if follows { return try follow(bench, environment, telling) }
        var seen = SeenCases()
        if let id {
            seen.cases = [try bench.store.open(try environment.requiredCase(id))]
        } else {
            seen = bench.seenCases()
        }
        var documents: [JSONValue] = []
        var stands = true
        for home in seen.cases + seen.holding {
            do throws(Failure) {
                let place = try bench.workplace(home, by: environment.responder(nil))
                let standing = try CaseStanding(of: place)
                stands = stands && standing.stands
                if common.json { documents.append(try document(home, standing)) } else { tell(home, standing, telling) }
            } catch {
                guard id == nil else { throw error }
                seen.unreadable.append(.init(id: home.id, failure: error))
            }
        }
        stands = stands && seen.isWhole
        if common.json {
            telling.document([
                "stands": .bool(stands), "cases": .array(documents), "unreadableCases": seen.document,
            ])
            seen.warn(telling)
        } else {
            seen.tell(telling)
            seen.warn(telling)
            if seen.cases.isEmpty, seen.holding.isEmpty, seen.isWhole { telling.result("no open case") }
        }
        return stands ? .done : .partial
    }

    private func words(of one: LeaseStanding, in home: Case, _ telling: Teller) -> String {
        let remaining = one.lease.remaining
        guard one.lease.isOverdue else {
            return "lease     the cut of \(one.name) is due in \(Words.age(remaining))"
        }
        let word = telling.terminal.bad("OVERDUE  ")
        return
            "\(word) the lease of the cut of \(one.name) ended \(Words.age(.zero - remaining)) ago; the cut stays: "
            + one.hint("release", in: home.id)
    }

    private func words(of approval: ApprovalStanding) -> String {
        let request = approval.request
        let what = "step \(request.step) of run \(request.run)"
        if approval.state == .approved { return "approved  \(what) by \(approval.approvers.joined(separator: ", "))" }
        let missing = approval.missing.joined(separator: " and ")
        return "waiting   \(what) for \(missing), until \(Words.clock(request.expiresAt))"
    }

    private func surroundings(_ standing: CaseStanding) throws(Failure) -> [JSONValue] {
        var documents: [JSONValue] = []
        for one in standing.surroundings { documents.append(try JSONEncoding.value(of: one)) }
        return documents
    }

    private func document(_ home: Case, _ standing: CaseStanding) throws(Failure) -> JSONValue {
        [
            "case": .string(home.id.text), "closed": .bool(standing.isClosed), "stands": .bool(standing.stands),
            "facts": .array(
                standing.facts.map { ["holds": .bool($0.holds), "untrustedText": .string($0.text)] }
            ),
            "leases": .array(
                standing.leases.map { one in
                    [
                        "overdue": .bool(one.lease.isOverdue), "endsAt": .string(one.lease.endsAt.description),
                        "locator": one.pin.leader.map { .string("pid:\($0.pid)") } ?? .null,
                    ]
                }
            ),
            "untrustedSurroundings": .array(try surroundings(standing)),
            "untrustedEnded": .array(standing.ended.map { .string("\($0.hierarchy) \($0.path)") }),
            "untrustedLeftovers": .array(
                standing.leftovers.map { .string("\($0.hierarchy) \($0.path)") }
            ),
            "liveRuns": .array(
                standing.liveRuns.map { live in
                    ["run": .string(live.run), "pid": live.holder.pid.map { .integer(Int64($0)) } ?? .null]
                }
            ),
            "approvals": .array(standing.approvals.map(ApprovalNotice.document)),
            "unfinishedRuns": .array(standing.unfinishedRuns.map { .string($0) }), "next": .string(standing.next),
        ]
    }

    private func tell(_ home: Case, _ standing: CaseStanding, _ telling: Teller) {
        let name = standing.isClosed ? "case \(home.id) (closed)" : "case \(home.id)"
        telling.result("\(telling.terminal.strong(name))")
        for fact in standing.facts {
            let word = fact.holds ? telling.terminal.good("true     ") : telling.terminal.bad("NO LONGER")
            telling.result("  \(word) \(fact.text)")
        }
        for one in standing.leases { telling.result("  \(words(of: one, in: home, telling))") }
        for surroundings in standing.surroundings {
            var table = CompanyTable()
            table.add(peers: surroundings.peers, offers: false)
            for line in table.lines + ServiceLines.lines(of: surroundings) { telling.result("  \(line)") }
        }
        for group in standing.ended {
            telling.result("  ended     \(group.hierarchy) \(group.path) holds nobody any more")
        }
        for group in standing.leftovers {
            telling.result("  left      \(group.path) is empty: the next thaw removes it")
        }
        for live in standing.liveRuns { telling.result("  run \(live.run) goes on: \(live.holder) is at it") }
        for approval in standing.approvals { telling.result("  \(words(of: approval))") }
        for run in standing.unfinishedRuns { telling.result("  run \(run) was interrupted") }
        telling.result("  next: \(standing.next)")
    }
}
