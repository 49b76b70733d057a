import Base
import Casework
import Containment
import Engine
import Kernel
import Response
import Sessions
import Synchronization

/// What `quell freeze` was told, apart from its parser: the door makes it of a plain line without one.
struct FreezeOrder: CommandBody, Equatable {
    static let words = "freeze"

    var locators: [String]
    var wantsJSON = false
    var isQuiet = false
    var chosenStore: String?
    var namedCase: String?
    var reason: String?
    var actor: String?
    /// Whether the network is left as it is.
    var keepsNetwork = false
    /// Whether what could start the session again is left as it is.
    var leavesSupervisors = false
    /// Why more than the session may be frozen.
    var broad: String?
    /// Who is held, too.
    var include: [Int32] = []
    var withPeers = false
    /// Whether it only says what it would do.
    var plan = false
    /// Whether it stays and watches.
    var hold = false

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(withoutKey: environment, store: chosenStore)
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
        return try FreezeHold(bench: bench, actor: environment.responder(actor), telling: telling).stay(
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
        if wantsJSON { telling.document(try plan.document()) } else { plan.tell(telling) }
        return .done
    }

    private func freeze(
        _ locator: String,
        _ bench: Workbench,
        _ environment: Environment,
        _ telling: Teller,
        _ watched: inout [FreezeHold.Held]
    ) throws(Failure) -> Outcome {
        let responder = environment.responder(actor)
        let named = try environment.namedCase(namedCase)?.text
        let wanted = NamedCase(named)
        let start = named == nil ? CaseHeadStart { bench.withKey(telling).store } : nil
        let session: Session
        do throws(Failure) {
            session = try bench.resolve(locator, for: "freeze", pinsOnly: true)
        } catch {
            start?.abandon()
            throw error
        }
        let journal = ContainmentJournal(
            about: [session.pin],
            spools: Workbench.spools(of: bench.store.root),
            sink: { line in environment.errors.line(line) }
        ) { [reason] () throws(Failure) in
            if let start { return try start.home(about: [session.pin], reason: reason ?? "", by: responder) }
            return try wanted.home(at: bench.withKey(telling), about: [session.pin], reason: reason, by: responder)
        }
        let reference = SessionReference(locator: session.locator, pin: session.pin, agent: session.agent?.name)
        let agents = session.agent.map { Inventory(agents: [$0]) } ?? .empty
        let input = FreezeAction.Input(
            session: reference,
            cut: !keepsNetwork,
            broad: broad,
            include: include.isEmpty ? nil : include,
            holdRestart: !leavesSupervisors,
            peers: withPeers
        )
        let word = FirstWord()
        let startedAt = environment.startedAt
        var action = FreezeAction(on: bench.host, inventory: agents)
        action.recording = { journal.confirm() }
        if !wantsJSON {
            action.telling = { result in
                journal.confirm()
                word.tell { FreezeReport(session: session, result: result, startedAt: startedAt).tellWord(telling) }
            }
        }
        let result = Single(containingWith: journal, by: responder, reason: reason ?? "").run(action, input)
        let output: FreezeAction.Output
        do throws(Failure) {
            guard let given = result.output else { throw result.step.failure ?? result.unexplained }
            output = given
        } catch {
            // What was refused or failed is on record, too.
            let home = journal.settle(within: .seconds(2))
            wanted.tell(home, telling)
            ContainmentVerb.tell(home, journal.keeping, telling)
            throw error
        }
        let report = FreezeReport(
            session: session,
            result: output.result,
            startedAt: startedAt,
            wantsPeers: withPeers
        )
        // The result first: a store that is slow now may take seconds more.
        if !wantsJSON {
            word.tell { report.tellWord(telling) }
            report.tellRest(telling)
        }
        let home = journal.settle(within: .seconds(2))
        if wantsJSON {
            telling.document(
                try report.document(in: home, journal.keeping, wanted.refusal)
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

/// The word of a freeze is told once, by whoever knows it first.
private final class FirstWord: Sendable {
    private let isTold = Mutex(false)

    func tell(_ body: () -> Void) {
        let isFirst = isTold.withLock { isTold in
            defer { isTold = true }
            return !isTold
        }
        if isFirst { body() }
    }
}

extension SingleResult {
    /// A step that ended without output and without a failure, which no action does.
    var unexplained: Failure {
        Failure(.system, step.action, on: run, because: step.reasons.first ?? "it gave no result")
    }
}
