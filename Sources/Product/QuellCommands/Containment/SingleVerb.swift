internal import ArgumentParser
import Base
import Casework
import Engine
import Response
import Sessions

/// The options of a verb that acts on one session of a case.
struct VerbOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions
    @OptionGroup var effect: EffectOptions
    @Argument(help: ArgumentHelp("Which session.", valueName: "locator")) var locator: String
}

/// One verb on one session, through the same engine as a playbook.
struct SingleVerb {
    let bench: Workbench
    let session: Session
    let reference: SessionReference
    let home: Case
    let place: Workplace
    private let telling: Teller
    private let options: VerbOptions
    private let actor: Responder

    /// With `orEnded` a session of which no process is left is taken from the cases, and for a capture from what is left of
    /// it on disk.
    init(
        _ verb: String,
        _ options: VerbOptions,
        _ environment: Environment,
        _ telling: Teller,
        orEnded: Bool = false
    ) throws(Failure) {
        self.options = options
        self.telling = telling
        bench = try Workbench(environment, store: options.common.store, telling: telling)
        actor = environment.responder(options.effect.actor)
        bench.mergeEmergencyRecords(telling)
        do throws(Failure) {
            session = try bench.resolve(options.locator, for: verb)
        } catch {
            guard orEnded, error.code == .notFound,
                let ended = try verb == "capture"
                    ? bench.leftSession(options.locator)
                    : bench.endedSession(options.locator, in: options.effect.case, telling)
            else { throw error }
            session = ended
        }
        reference = try bench.reference(session)
        try bench.requireStore(for: verb)
        let pins = session.pin.namesNothing ? [] : [session.pin]
        home = try bench.home(options.effect.case, about: pins, reason: options.effect.reason, by: actor)
        place = try bench.workplace(home, by: actor)
    }

    /// Runs `action`; an output that never came is the failure that was thrown.
    func run<A: Action>(
        _ action: A,
        _ input: A.Input,
        observing observe: @escaping @Sendable (RunEvent) -> Void = { _ in }
    ) throws(Failure) -> (result: SingleResult<A.Output>, output: A.Output) {
        var single = Single(
            in: home,
            by: actor,
            reason: options.effect.reason ?? "",
            waiver: options.effect.waive,
            reverify: bench.reverifier(of: home)
        )
        single.observe = observe
        single.cancellation = Interruption.cancellation
        single.approvals = bench.approvals(asking: options.effect.actor)
        let result = single.run(action, input)
        if result.step.state == .waiting, !options.common.json {
            try ApprovalNotice(home).tell(run: result.run, telling)
        }
        guard let output = result.output else { throw result.step.failure ?? result.unexplained }
        if let failure = result.journalFailure { throw failure }
        return (result, output)
    }

    /// Runs another action in the same case on another session, which the case is about from then on.
    func runBeside<A: Action>(
        _ session: Session,
        _ make: (SessionReference) throws(Failure) -> (A, A.Input)
    ) throws(Failure) -> (result: SingleResult<A.Output>, output: A.Output) {
        try home.add([session.pin], by: actor)
        let (action, input) = try make(try bench.reference(session))
        return try run(action, input)
    }

    /// What every verb says at its end.
    func tell<Output>(_ result: SingleResult<Output>, _ telling: Teller) {
        for reason in result.step.reasons { telling.result("not done     \(Escaped.terminal(reason))") }
        telling.say("case         \(Words.name(of: home))")
    }

    /// The document of a verb: outcome, case, and what the action gave.
    func document<Output: Codable & Sendable>(
        _ result: SingleResult<Output>,
        _ output: Output
    ) throws(Failure) -> JSONValue {
        [
            "case": .string(home.id.text),
            "state": .string(result.step.state.rawValue),
            "untrustedReasons": .array(result.step.reasons.map { .string($0) }),
            "untrustedResult": try JSONEncoding.value(of: output),
        ]
    }
}
