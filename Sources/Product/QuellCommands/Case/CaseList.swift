internal import ArgumentParser
import Base
import Casework

/// `quell case list`.
struct CaseList: QuellCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the cases of the store.")

    @OptionGroup var common: CommonOptions

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let store = try environment.store(common.store)
        var rows: [JSONValue] = []
        var isWhole = true
        for listed in try store.list() {
            switch listed.result {
            case .success(let found):
                let opening = try found.opening()
                let captures = try found.captures().count
                if common.json {
                    rows.append([
                        "case": .string(listed.id.text), "opened": .string(opening.entry.time.description),
                        "state": .string(listed.isClosed ? "closed" : "open"), "captures": .integer(Int64(captures)),
                        "untrustedReason": .string(opening.reason),
                    ])
                } else {
                    let state = listed.isClosed ? "closed" : "open  "
                    let reason = Escaped.terminal(opening.reason)
                    let words = ["\(listed.id)", state, "\(opening.entry.time)", "captures \(captures)", reason]
                    telling.result(words.filter { !$0.isEmpty }.joined(separator: "  "))
                }
            case .failure(let failure):
                isWhole = false
                telling.tell(failure)
            }
        }
        if common.json { telling.document(["quell": 1, "cases": .array(rows)]) }
        return isWhole ? .done : .partial
    }
}
