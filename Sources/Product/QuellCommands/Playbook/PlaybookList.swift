internal import ArgumentParser
import Base
import Playbooks

/// `quell playbook list`.
struct PlaybookList: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the playbooks that can be run."
    )

    @OptionGroup var common: CommonOptions

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let choice = try PlaybookChoice()
        var rows: [JSONValue] = []
        for name in try choice.names() {
            let document = try choice.find(name, in: environment)
            rows.append([
                "playbook": .string(document.name), "version": .string(document.version),
                "title": .string(document.title), "maps": .array(document.maps.map { .string($0) }),
            ])
            if !common.json {
                telling.result("\(document.name)  \(document.version)  \(Escaped.terminal(document.title))")
            }
        }
        if common.json { telling.document(["playbooks": .array(rows)]) }
        return .done
    }
}
