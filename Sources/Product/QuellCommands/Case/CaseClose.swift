internal import ArgumentParser
import Base
import Casework
import Kernel
import Response

/// `quell case close`.
struct CaseClose: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "close",
        abstract: "Close a case: no verb joins it any more.",
        discussion: """
            Refused (exit 5) while the case holds something: a session that is frozen, or whose network is dropped. With \
            --waive and a reason it is closed all the same, nothing is let go, and the next verb on that session opens \
            the case again.
            """
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String
    @Option(name: .long, help: ArgumentHelp("Why.", valueName: "text")) var reason: String = ""
    @Option(
        name: .long,
        help: ArgumentHelp("Close it although it holds something; recorded.", valueName: "reason")
    )
    var waive: String?
    @Option(name: .customLong("as"), help: ArgumentHelp("Who closes it.", valueName: "name")) var actor: String?

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let found = try environment.store(common.store).open(try environment.requiredCase(id))
        let host = try Host()
        let holds = try StandingHolds(in: found, on: host)
        guard holds.lines.isEmpty || waive != nil else {
            throw Failure(
                .refused,
                "close the case",
                on: found.id.text,
                because: "\(holds.lines.joined(separator: ", ")); --waive with a reason closes it all the same",
                hint: holds.next ?? "quell status \(found.id)"
            )
        }
        let waiver = holds.lines.isEmpty ? nil : waive
        try found.close(because: reason, holding: waiver, by: environment.responder(actor))
        for line in holds.lines { telling.warn("still so: \(line)") }
        if common.json {
            telling.document([
                "case": .string(found.id.text), "untrustedHeld": .array(holds.lines.map { .string($0) }),
            ])
        }
        telling.say("closed \(found.id)")
        if let next = holds.next { telling.say("next         \(next)") }
        return .done
    }
}
