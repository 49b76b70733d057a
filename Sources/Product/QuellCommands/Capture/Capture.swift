internal import ArgumentParser
import Base
import Casework
import Engine
import Response

/// `quell capture`.
struct Capture: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture",
        abstract: "Preserve a session as a sealed evidence bundle.",
        discussion: """
            volatile: clock, processes, sockets, mounts, files without a name. standard: all that, and workspace, \
            transcripts, what a container wrote over its image, mounts of the session's own, what its runtime keeps of it, \
            and logs: named ones, the host's between --since and --until (RFC 3339, or 30m, 2h, 3d ago), the container's. \
            full: all that, and the memory of the processes, which holds secrets. Reads only; what could not be collected \
            is listed with its reason (exit 3). --plan lists what would be taken, in that order, with sizes and times.

            A container that has ended (podman:ID, docker:ID), and a directory (path:/DIR), can be captured, too: files, \
            logs and records, without what only a running session has. Such a capture permits nothing.
            """
    )

    @OptionGroup var options: VerbOptions
    @Option(name: .long, help: ArgumentHelp("volatile, standard or full.", valueName: "profile"))
    var profile: String = "standard"
    @Option(name: .long, help: ArgumentHelp("At most so many bytes before compression.", valueName: "bytes"))
    var budget: UInt64?
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Logs of the host from this time on (default: 10 minutes before the session).",
            valueName: "time"
        )
    )
    var since: String?
    @Option(name: .long, help: ArgumentHelp("Logs of the host until this time (default: now).", valueName: "time"))
    var until: String?
    @Option(name: .long, help: ArgumentHelp("Pages of its processes: all, dirty or none.", valueName: "pages"))
    var memory: String?
    @Flag(name: .long, help: "Memory may stand in the bundle unencrypted, where nobody is named to encrypt it to.")
    var plainMemory = false
    @OptionGroup var onward: OnwardOptions
    @Flag(name: .long, help: "Only list what would be taken: no content is read, nothing is written.")
    var plan = false
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        if plan { return try tellPlan(in: environment, telling) }
        let recipients = try onward.recipients(asJSON: common.json, in: environment)
        let verb = try SingleVerb("capture", options, environment, telling, orEnded: true)
        var place = verb.place
        if !recipients.isEmpty { place.recipients = { () throws(Failure) in recipients } }
        Interruption.listen()
        let teller = RunTeller(telling)
        let input = CaptureAction.Input(
            session: verb.reference,
            profile: profile,
            budget: budget,
            since: since,
            until: until,
            memory: memory,
            plainMemory: plainMemory ? true : nil
        )
        let (result, output) = try verb.run(CaptureAction(place), input) { event in
            if case .progress = event { teller.take(event) }
        }
        let sent = try onward.send(output, trustingStore: common.store, in: environment, telling)
        let outcome = sent.failure == nil || result.outcome != .done ? result.outcome : .partial
        if common.json {
            telling.document(try verb.document(result, output))
            return outcome
        }
        // Beside the bundle's own bytes nothing goes to standard output.
        let telling = onward.takesOutput ? telling.withoutResults : telling
        telling.result("capture \(result.step.state.rawValue)")
        for line in try StepStory.lines(of: result.step) { telling.result("             \(line)") }
        verb.tell(result, telling)
        if let place = sent.place, sent.failure == nil { telling.result("sent to      \(place)") }
        telling.say("next         quell bundle verify \(ShellWord.quoted("\(output.bundle)"))")
        return outcome
    }
}
