internal import ArgumentParser
import Base
import Casework
import Containment
import Engine
import Kernel
import Response
import Sessions

/// `quell freeze`: acts within milliseconds, with or without store, key, inventory and a writable disk.
struct Freeze: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "freeze",
        _superCommandName: "quell",
        abstract: "Freeze sessions with everything that belongs to them, and drop their network.",
        discussion: """
            Confirmed (exit 0) means: the kernel says frozen for every thread, no stray by a strong mark is running, and \
            what could start the session again (a parent that is a shell or a supervisor, the conmon of a podman \
            container with a restart policy, a unit of systemd's with Restart= or WatchdogSec=) is held, too. Unconfirmed \
            or partial (exit 3) lists what is left; a parent of which nothing is known is named and not held. The sentry \
            of a gVisor sandbox, and the monitor that qmp: names, are asked for at most 300 ms before; what they say \
            decides nothing. It needs no case, no key and no writable disk; what the \
            store cannot take is recorded in /run/quell, and joins the case later.

            LOCATOR is \(Locator.forms).
            """,
        version: Version.text
    )

    @OptionGroup var common: CommonOptions
    @OptionGroup var effect: EffectOptions
    @Argument(help: ArgumentHelp("Which sessions.", valueName: "locator")) var locators: [String]
    @Flag(name: .customLong("no-cut"), help: "Leave the network as it is.") var keepsNetwork = false
    @Flag(name: .customLong("no-hold-restart"), help: "Leave what could start the session again as it is.")
    var leavesSupervisors = false
    @Option(
        name: .long,
        help: ArgumentHelp("Also freeze slices and groups that hold sshd, journald or an engine.", valueName: "reason")
    )
    var broad: String?
    @Option(name: .long, help: ArgumentHelp("Also hold this process; may be given again.", valueName: "pid"))
    var include: [Int32] = []
    @Option(name: .long, help: "Also hold who is joined to it by pipe, unix socket or loopback.")
    var with: Company?
    @Flag(name: .long, help: "Only say what would be frozen, who is joined to it and what it serves to others.")
    var plan = false
    @Flag(name: .long, help: "Stay, and freeze it again whenever somebody thaws it; Ctrl-C leaves it frozen.")
    var hold = false

    /// Who may be taken along.
    enum Company: String, ExpressibleByArgument, CaseIterable { case peers }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(withoutKey: environment, store: common.store)
        if hold { Interruption.listen() }
        var outcomes: [Outcome] = []
        var watched: [FreezeHold.Held] = []
        for locator in locators {
            do throws(Failure) {
                if plan {
                    outcomes.append(try look(locator, bench, telling))
                } else {
                    outcomes.append(try freeze(locator, bench, environment, telling, &watched))
                }
            } catch {
                guard locators.count > 1 else { throw error }
                telling.tell(error)
                outcomes.append(Outcome(error))
            }
        }
        let outcome = outcomes.first { $0 != .done } ?? .done
        guard hold, !watched.isEmpty else { return outcome }
        return try FreezeHold(bench: bench, actor: environment.responder(effect.actor), telling: telling).stay(
            with: watched
        )
    }

    private func look(_ locator: String, _ bench: Workbench, _ telling: Teller) throws(Failure) -> Outcome {
        let session = try bench.resolve(locator, for: "freeze")
        let scanner = ProcessScanner(bench.host)
        let included = include.compactMap { scanner.namedStat(of: $0)?.pin }
        let policy = FreezePolicy(broad: broad)
        let preview = try Freezer(bench.host).preview(Subject(session, included: included), policy)
        let plan = FreezePlan(session: session, preview: preview)
        if common.json { telling.document(try plan.document()) } else { plan.tell(telling) }
        return .done
    }

    private func freeze(
        _ locator: String,
        _ bench: Workbench,
        _ environment: Environment,
        _ telling: Teller,
        _ watched: inout [FreezeHold.Held]
    ) throws(Failure) -> Outcome {
        let actor = environment.responder(effect.actor)
        let named = try environment.namedCase(effect.case)?.text
        let wanted = NamedCase(named)
        let start = named == nil ? CaseHeadStart { bench.withKey(telling).store } : nil
        let session: Session
        do throws(Failure) {
            session = try bench.resolve(locator, for: "freeze")
        } catch {
            start?.abandon()
            throw error
        }
        let journal = ContainmentJournal(
            about: [session.pin],
            spools: Workbench.spools(of: bench.store.root),
            sink: { line in environment.errors.line(line) }
        ) { [reason = effect.reason] () throws(Failure) in
            if let start { return try start.home(about: [session.pin], reason: reason ?? "", by: actor) }
            return try wanted.home(at: bench.withKey(telling), about: [session.pin], reason: reason, by: actor)
        }
        let reference = SessionReference(locator: session.locator, pin: session.pin, agent: session.agent?.name)
        let agents = session.agent.map { Inventory(agents: [$0]) } ?? .empty
        let input = FreezeAction.Input(
            session: reference,
            cut: !keepsNetwork,
            broad: broad,
            include: include.isEmpty ? nil : include,
            holdRestart: !leavesSupervisors,
            peers: with == .peers
        )
        let result = Single(containingWith: journal, by: actor, reason: effect.reason ?? "").run(
            FreezeAction(on: bench.host, inventory: agents),
            input
        )
        let output: FreezeAction.Output
        do throws(Failure) {
            guard let given = try result.output() else { throw result.step.failure ?? result.unexplained }
            output = given
        } catch {
            // What was refused or failed is on record, too.
            let home = journal.settle(within: .seconds(2))
            wanted.tell(home, telling)
            ContainmentVerb.tell(home, journal.keeping, telling)
            throw error
        }
        let report = FreezeReport(session: session, result: output.result, wantsPeers: with == .peers)
        // The result first: a store that is slow now may take seconds more.
        if !common.json { report.tell(telling) }
        let home = journal.settle(within: .seconds(2))
        if common.json {
            telling.document(
                try report.document(since: environment.startedAt, in: home, journal.keeping, wanted.refusal)
            )
            wanted.tell(home, telling)
        } else {
            wanted.tell(home, telling)
            report.tellCase(home, journal.keeping, telling)
        }
        // For the next freeze, now that this one is told, and only where the store is quick.
        if home != nil, case .journal = journal.keeping { bench.store.fillReserve(within: .milliseconds(200)) }
        if hold, output.result.word != .failed {
            watched.append(
                FreezeHold.Held(session: session, input: input, agents: agents, result: output.result, home: home)
            )
        }
        guard environment.userID != 0, output.result.word == .failed else { return result.outcome }
        telling.errors.line("hint: \(sudoLine)")
        return .notPermitted
    }
}

extension SingleResult {
    /// A step that ended without output and without a failure, which no action does.
    var unexplained: Failure {
        Failure(.system, step.action, on: run, because: step.reasons.first ?? "it gave no result")
    }
}
