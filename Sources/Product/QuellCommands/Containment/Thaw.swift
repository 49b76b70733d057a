internal import ArgumentParser
import Base
import Casework
import Containment
import Engine
import Kernel
import Response
import Sessions

/// `quell thaw`.
struct Thaw: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "thaw",
        _superCommandName: "quell",
        abstract: "Let a frozen session run again; the cut stays unless --release is given.",
        discussion: """
            Moved processes go back where they came from. Needs a capture of the present freeze, or --waive with a \
            reason: what the session changes from here on overwrites evidence. Of a session that has ended, named by its \
            pid, the groups that Quell made for it are removed.

            --wrong-target is the way out of a mistake: everything is taken back, the cut too, without a capture, \
            because nothing of the session is destroyed by it; who was moved or held goes back where it came from. The \
            journal keeps that it was the wrong one, and why. What cannot be taken back (destroyed sockets) is named.
            """,
        version: Version.text
    )

    @OptionGroup var options: VerbOptions
    @Flag(name: .long, help: "Give the network back, too.") var release = false
    @Option(
        name: .customLong("wrong-target"),
        help: ArgumentHelp("It was the wrong session: take everything back, the cut too.", valueName: "reason")
    )
    var wrongTarget: String?
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        var options = options
        if let wrongTarget {
            guard wrongTarget.contains(where: { !$0.isWhitespace }) else {
                throw Failure(.usage, "thaw the session", on: "--wrong-target", because: "the reason is empty")
            }
            options.effect.waive = "wrong target: \(wrongTarget)"
        }
        let verb = try SingleVerb("thaw", options, environment, telling, orEnded: true)
        if !common.json { try tellPlanted(verb, telling) }
        let peers = try HeldSession(of: verb.session.pin, in: verb.home, on: verb.bench.host).peers
        let action = ThawAction(verb.place)
        let input = ThawAction.Input(session: verb.reference, release: release, wrongTarget: wrongTarget)
        let (result, output) = try verb.run(action, input)
        let left = wrongTarget == nil ? [] : try leftovers(of: verb, output)
        if common.json {
            telling.document(try verb.document(result, output))
            return left.isEmpty || result.outcome != .done ? result.outcome : .partial
        }
        let thawed = output.result
        telling.result(
            "thaw \(result.step.state.rawValue): \(Words.count(thawed.thawed.count, "group", "groups")) thawed"
        )
        for pin in thawed.putBack { telling.say("put back     \(pin.pid)") }
        for pin in thawed.joined { telling.say("joined       \(pin.pid) came in while it was frozen, and runs now") }
        for unit in thawed.supervisors.units { telling.say("let go       \(Escaped.terminal(unit))") }
        for pin in thawed.supervisors.letGo {
            telling.say(
                "let go       \(pin.pid), which \(peers.contains(pin) ? "is joined to it" : "could start it again")"
            )
        }
        for drop in thawed.released?.released ?? [] { telling.say("released     \(drop.group.path)") }
        for drop in thawed.keptDrops { telling.say("still cut    \(drop.group.path)") }
        for pin in thawed.uncut { telling.say("not cut      \(pin.pid) is back in a group without a drop") }
        verb.tell(result, telling)
        if !thawed.keptDrops.isEmpty, let word = verb.session.commandWord {
            telling.say("next         quell release \(word)")
        }
        guard wrongTarget != nil else { return result.outcome }
        for line in left { telling.result("not undone   \(Escaped.terminal(line))") }
        telling.say("next         quell case close \(verb.home.id) --reason wrong-target")
        return left.isEmpty || result.outcome != .done ? result.outcome : .partial
    }

    /// Of a mistake nothing may stay: what Quell still holds of it, and what cannot be taken back.
    private func leftovers(of verb: SingleVerb, _ output: ThawAction.Output) throws(Failure) -> [String] {
        let held = try HeldSession(of: verb.session.pin, in: verb.home, on: verb.bench.host)
        return held.effects.map(\.summary) + (output.irreversible ?? [])
    }

    /// Who came in while it was frozen, such as what a health check planted, is told before it runs (RT4).
    private func tellPlanted(_ verb: SingleVerb, _ telling: Teller) throws(Failure) {
        let host = verb.bench.host
        guard let frozen = try HeldSession(of: verb.session.pin, in: verb.home, on: host).lastFreeze else { return }
        let scanner = ProcessScanner(host)
        let joined = try FreezeCheck(of: frozen, on: host).joined
        // A child of a member was born in the session; the others came from outside.
        let own = Set((frozen.members + joined).map(\.pid))
        for pin in joined {
            guard let stat = scanner.namedStat(of: pin.pid), stat.pin == pin, !own.contains(stat.numbers.parent) else {
                continue
            }
            let parent = scanner.namedStat(of: stat.numbers.parent)?.name ?? BytePath("nobody")
            telling.say("planted      \(pin.pid) \(stat.name), a child of \(parent), will run when it is thawed")
        }
    }
}
