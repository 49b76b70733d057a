import Base
import Casework
import Containment
import Engine
import Kernel
import Response

/// `quell status --follow`: the whole once, then a line for each fact that changed, until Ctrl-C.
struct StatusFollow {
    /// What one look at a case gave, a line each; `key` is what it is about, so that a change is seen as one.
    struct Line: Hashable {
        let key: String
        let text: String
    }

    private var known: [String: String] = [:]

    /// Gives what is different from the last time: what is new or changed, then what is not there any more.
    mutating func take(_ lines: [Line]) -> [String] {
        var changes: [String] = []
        var next: [String: String] = [:]
        for line in lines {
            next[line.key] = line.text
            if known[line.key] != line.text { changes.append(line.text) }
        }
        for (key, text) in known.sorted(by: { $0.key < $1.key }) where next[key] == nil {
            changes.append("no more   \(text)")
        }
        known = next
        return changes
    }

    /// The lines of a case. What counts down or up by itself is left out, or every look would tell it again.
    static func lines(of home: Case, _ standing: CaseStanding) -> [Line] {
        let id = home.id.text
        var lines: [Line] = [Line(key: id, text: "\(id)  \(standing.isClosed ? "closed" : "open")")]
        func add(_ key: String, _ text: String) { lines.append(Line(key: "\(id) \(key)", text: "\(id)  \(text)")) }
        for fact in standing.facts { add(fact.subject, "\(fact.holds ? "true     " : "NO LONGER") \(fact.subject)") }
        for one in standing.leases {
            add(
                "lease \(one.name)",
                one.lease.isOverdue ? "OVERDUE   the lease of the cut of \(one.name)" : "lease     of \(one.name)"
            )
        }
        for group in standing.ended { add("ended \(group.path)", "ended     \(group.path) holds nobody any more") }
        for live in standing.liveRuns { add("run \(live.run)", "run       \(live.run) goes on") }
        for run in standing.unfinishedRuns { add("run \(run)", "run       \(run) was interrupted") }
        for peer in standing.surroundings.flatMap(\.peers) {
            add(
                "peer \(peer.process.pid)",
                "\(peer.isHeld ? "peer held" : "peer     ") \(peer.process.pid) \(peer.name)"
            )
        }
        add("next", "next      \(standing.next)")
        return lines
    }
}

extension CaseStanding.Fact {
    /// The text without a figure that grows while something runs.
    fileprivate var subject: String {
        guard let used = text.firstRange(of: " used ") else { return text }
        return String(text[..<used.lowerBound])
    }
}

extension Status {
    /// Looks until Ctrl-C; the kernel tells of groups that freeze, thaw or empty, anything else is looked for every two
    /// seconds. Ends as well when nobody reads any more.
    func follow(_ bench: Workbench, _ environment: Environment, _ telling: Teller) throws(Failure) -> Outcome {
        Interruption.listen()
        var follow = StatusFollow()
        var pace = WatchPace()
        while !Interruption.cancellation.isCancelled, !environment.output.isBroken {
            var groups: [CgroupPin] = []
            var lines: [StatusFollow.Line] = []
            for home in try cases(bench, environment) {
                do throws(Failure) {
                    let place = try bench.workplace(home, by: environment.responder(nil))
                    let standing = try CaseStanding(of: place)
                    lines += StatusFollow.lines(of: home, standing)
                    groups += standing.groups
                } catch {
                    let text = "\(home.id)  cannot be read: \(Escaped.terminal(error.reason))"
                    lines.append(StatusFollow.Line(key: home.id.text, text: text))
                }
            }
            if lines.isEmpty { lines = [StatusFollow.Line(key: "none", text: "no open case")] }
            let now = environment.now()
            for change in follow.take(lines) {
                if common.json {
                    telling.document(["time": .string(now.description), "untrustedText": .string(change)])
                } else {
                    telling.result("\(Words.clock(now))  \(change)")
                }
            }
            pace.wait(on: CgroupWatch(groups, on: bench.host))
        }
        return .cancelled
    }

    private func cases(_ bench: Workbench, _ environment: Environment) throws(Failure) -> [Case] {
        if let id { return [try bench.store.open(try environment.requiredCase(id))] }
        let seen = bench.seenCases()
        return seen.cases + seen.holding
    }
}
