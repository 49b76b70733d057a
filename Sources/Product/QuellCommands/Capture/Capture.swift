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

            With --to the bundle leaves while it is made, and this disk holds no more than what is on its way. A directory \
            takes the bundle as a directory of its name; a file, standard output (-) and an SFTP path that ends in \
            .quell.tar take it packed; any other SFTP path is a directory there. What went to a directory or a file is read \
            back and counts for a kill as long as it lies there; what went to - or to another host does not count. When \
            the disk is full, also the other one, --max-time is over (exit 3), or you press Ctrl-C (exit 130), what is there is \
            sealed. With - the reader gets that Ctrl-C, too: bound the time instead.
            """
    )

    @OptionGroup var options: VerbOptions
    @Option(name: .long, help: ArgumentHelp("volatile, standard or full.", valueName: "profile"))
    var profile: String = "standard"
    @OptionGroup var limits: LimitOptions
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
    var budget: UInt64? { limits.budget }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        if plan { return try tellPlan(in: environment, telling) }
        let recipients = try onward.recipients(asJSON: common.json, in: environment)
        let destination = try onward.destination(in: environment)
        let seconds = try limits.seconds()
        let rate = try limits.bytesPerSecond()
        let verb = try SingleVerb("capture", options, environment, telling, orEnded: true)
        var place = verb.place
        if !recipients.isEmpty { place.recipients = { () throws(Failure) in recipients } }
        place.destination = destination
        for path in try CaptureAction.neighbours(of: verb.reference, at: place) {
            telling.warn("\(path) lies on the file system that the capture is written to")
        }
        if let path = destination.flatMap(CaptureAction.exposure) {
            telling.warn("others than root may change \(path), and what lies below it")
        }
        Interruption.listen()
        let teller = RunTeller(telling)
        let input = CaptureAction.Input(
            session: verb.reference,
            profile: profile,
            budget: budget,
            since: since,
            until: until,
            memory: memory,
            plainMemory: plainMemory ? true : nil,
            maxSeconds: seconds,
            rate: rate
        )
        defer { teller.end() }
        let (result, output) = try verb.run(CaptureAction(place), input) { event in
            if case .progress = event { teller.take(event) }
        }
        teller.end()
        if common.json {
            telling.document(try verb.document(result, output))
            return result.outcome
        }
        // Beside the bundle's own bytes nothing goes to standard output.
        let telling = onward.takesOutput ? telling.withoutResults : telling
        telling.result("capture \(result.step.state.rawValue)")
        for line in try StepStory.lines(of: result.step) { telling.result("             \(line)") }
        verb.tell(result, telling)
        if output.elsewhere?.path != nil || output.elsewhere == nil {
            telling.say("next         quell bundle verify \(ShellWord.quoted("\(output.bundle)"))")
        }
        return result.outcome
    }
}
