internal import ArgumentParser
import Base
import Casework

/// `quell case list`.
struct CaseList: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the cases of the store.",
        discussion: """
            A case that cannot be read is listed with the reason (exit 3). One whose opening never reached the disk, \
            because its process was killed, is called unborn: nothing was done in it.
            """
    )

    @OptionGroup var common: CommonOptions

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let store = try environment.store(common.store)
        var rows: [JSONValue] = []
        var isWhole = true
        for listed in try store.list() {
            do throws(Failure) {
                rows.append(try row(of: listed, telling))
            } catch {
                isWhole = false
                telling.tell(error)
                rows.append([
                    "case": .string(listed.id.text), "state": "unreadable", "untrustedReason": .string(error.reason),
                ])
            }
        }
        if common.json { telling.document(["cases": .array(rows)]) }
        return isWhole ? .done : .partial
    }

    /// Gives the row, and tells it unless a document is wanted.
    private func row(of listed: CaseStore.Listed, _ telling: Teller) throws(Failure) -> JSONValue {
        if listed.isUnborn {
            if !common.json { telling.result("\(listed.id)  unborn  its opening never reached the disk") }
            return ["case": .string(listed.id.text), "state": "unborn"]
        }
        let found = try listed.result.get()
        let opening = try found.opening()
        let captures = try found.captures().count { $0.purpose != .foreign }
        if !common.json {
            let state = listed.isClosed ? "closed" : "open  "
            let reason = Escaped.terminal(opening.reason)
            let words = ["\(listed.id)", state, "\(opening.entry.time)", "captures \(captures)", reason]
            telling.result(words.filter { !$0.isEmpty }.joined(separator: "  "))
        }
        return [
            "case": .string(listed.id.text), "opened": .string(opening.entry.time.description),
            "state": .string(listed.isClosed ? "closed" : "open"), "captures": .integer(Int64(captures)),
            "untrustedReason": .string(opening.reason),
        ]
    }
}
