internal import ArgumentParser
import Base
import Containment
import Casework
import Engine
import Glibc
import Kernel
import Response
import Sessions

/// `quell kill`.
struct Kill: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill",
        _superCommandName: "quell",
        abstract: "Kill a frozen session, wait until nothing is left, and watch for a successor.",
        discussion: """
            Refused (exit 5) unless a standard capture of the present freeze is on record and verifies, or --waive gives \
            a reason. Guests inside the session's groups are moved aside and never killed. What could start the session \
            again stays held, when the freeze held it; --again freezes a successor that comes up all the same, in the \
            same case: in the session's group, from the leader's parent, or running the leader's program with the same \
            arguments as the same user.
            """,
        version: Version.text
    )

    @OptionGroup var options: VerbOptions
    @Option(name: .long, help: ArgumentHelp("How long to look for a successor.", valueName: "seconds"))
    var watch: UInt32 = 5
    @Flag(name: .long, help: "Freeze a successor that comes up, with everything that belongs to it.") var again = false
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let verb = try SingleVerb("kill", options, environment, telling)
        let input = KillAction.Input(session: verb.reference, watch: Int64(watch) * 1_000_000_000)
        let (result, output) = try verb.run(KillAction(verb.place), input)
        let successors = again ? try freezeAgain(output.result.successors, verb, telling) : []
        if common.json {
            var document = try verb.document(result, output).object ?? JSONObject()
            document["successors"] = .array(successors)
            telling.document(.object(document))
            return result.outcome
        }
        let killed = output.result
        telling.result("kill \(result.step.state.rawValue): \(Words.count(killed.processes, "process", "processes"))")
        for group in killed.emptied { telling.say("empty        \(group.hierarchy) \(group.path)") }
        for guest in killed.spared { telling.say("spared       \(guest.process.pid) \(guest.name)") }
        verb.tell(result, telling)
        try tellHeld(verb, telling)
        return result.outcome
    }

    /// A successor is contained again (RT4): each one is resolved to pins of its own and frozen in this case.
    private func freezeAgain(
        _ successors: [Successor],
        _ verb: SingleVerb,
        _ telling: Teller
    ) throws(Failure) -> [JSONValue] {
        var words: [JSONValue] = []
        var frozen: Set<CgroupPin> = []
        for successor in successors {
            do throws(Failure) {
                awaitStart(of: successor, on: verb.bench.host)
                let session = try verb.bench.resolve("pid:\(successor.process.pid)", for: "freeze")
                guard frozen.isDisjoint(with: session.pin.cgroups) else { continue }
                frozen.formUnion(session.pin.cgroups)
                let (result, output) = try verb.runBeside(session) { reference throws(Failure) in
                    (
                        FreezeAction(on: verb.bench.host, inventory: verb.place.inventory, home: verb.home),
                        FreezeAction.Input(session: reference)
                    )
                }
                words.append(["pid": .integer(Int64(successor.process.pid)), "word": .string(output.word)])
                telling.say("frozen again \(successor.process.pid) \(successor.name): \(output.word)")
                for reason in result.step.reasons { telling.say("not held     \(Escaped.terminal(reason))") }
            } catch {
                words.append(["pid": .integer(Int64(successor.process.pid)), "word": "failed"])
                telling.tell(error)
            }
        }
        return words
    }

    /// A container that is frozen while its runtime still starts it keeps podman waiting, and everybody who asks podman. So
    /// the start is waited for, but not long: a successor may call itself so.
    private func awaitStart(of successor: Successor, on host: Host) {
        let scanner = ProcessScanner(host)
        let deadline = Deadline(after: .milliseconds(500))
        while !deadline.hasPassed, let stat = scanner.namedStat(of: successor.process.pid),
            stat.pin == successor.process, stat.name.text?.hasPrefix("runc:[") == true
        {
            usleep(2000)
        }
    }

    private func tellHeld(_ verb: SingleVerb, _ telling: Teller) throws(Failure) {
        let session = try HeldSession(of: verb.session.pin, in: verb.home, on: verb.bench.host)
        if !session.peers.isEmpty {
            let pids = session.peers.map { "\($0.pid)" }.joined(separator: ", ")
            telling.say("peer held    \(pids): quell release-restart \(verb.home.id) lets go")
        }
        let names = session.supervisors.map { "\($0.pid)" } + session.heldUnits.map { Escaped.terminal($0) }
        guard !names.isEmpty else { return }
        let pids = names.joined(separator: ", ")
        telling.say("restart held \(pids): it would come back when that runs")
        telling.say("next         take the restart away, then quell release-restart \(verb.home.id)")
    }
}
