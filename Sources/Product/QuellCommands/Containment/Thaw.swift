internal import ArgumentParser
import Base
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
            """,
        version: Version.text
    )

    @OptionGroup var options: VerbOptions
    @Flag(name: .long, help: "Give the network back, too.") var release = false
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let verb = try SingleVerb("thaw", options, environment, telling, orEnded: true)
        if !common.json { try tellPlanted(verb, telling) }
        let action = ThawAction(verb.place)
        let (result, output) = try verb.run(action, ThawAction.Input(session: verb.reference, release: release))
        if common.json {
            telling.document(try verb.document(result, output))
            return result.outcome
        }
        let thawed = output.result
        telling.result(
            "thaw \(result.step.state.rawValue): \(Words.count(thawed.thawed.count, "group", "groups")) thawed"
        )
        for pin in thawed.putBack { telling.say("put back     \(pin.pid)") }
        for pin in thawed.joined { telling.say("joined       \(pin.pid) came in while it was frozen, and runs now") }
        for pin in thawed.supervisors.letGo { telling.say("let go       \(pin.pid), which could start it again") }
        for drop in thawed.keptDrops { telling.say("still cut    \(drop.group.path)") }
        for pin in thawed.uncut { telling.say("not cut      \(pin.pid) is back in a group without a drop") }
        verb.tell(result, telling)
        if !thawed.keptDrops.isEmpty { telling.say("next         quell release \(verb.session.commandWord)") }
        return result.outcome
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
