internal import ArgumentParser
import Base
import Casework
import Engine
import Playbooks
import Response
import Sessions

/// `quell run`: the main job.
struct Run: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a playbook on a session.",
        discussion: """
            PLAYBOOK is a name that `quell playbook list` shows, or a path. The session is resolved once; what it was \
            pinned to is printed and used from then on. --plan looks and prints what would be done, with a digest that \
            --approve-plan binds the run to. Ctrl-C starts no new work and seals what there is; nothing that was frozen \
            or cut is given back. After a crash: quell resume.
            """
    )

    @OptionGroup var common: CommonOptions
    @OptionGroup var effect: EffectOptions
    @Argument(help: ArgumentHelp("Which playbook.", valueName: "playbook")) var playbook: String
    @Option(name: .long, help: ArgumentHelp("Which session.", valueName: "locator")) var session: String
    @Option(
        name: .long,
        help: ArgumentHelp("A parameter of the playbook; may be given again.", valueName: "name=value")
    )
    var set: [String] = []
    @Flag(name: .long, help: "Look, print what would be done and a digest, and stop.") var plan = false
    @Option(name: .long, help: ArgumentHelp("Run only if the plan still has this digest.", valueName: "digest"))
    var approvePlan: String?
    @Flag(name: .long, help: "Do not ask, even for steps that destroy.") var yes = false

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let document = try PlaybookChoice().find(playbook, in: environment)
        let graph = try document.graph(given: try given(document), actions: KnownActions(ActionCatalogue.descriptors))
        if !plan { try refuseUnasked(graph) }
        let approved = try GivenDigest.read(approvePlan, to: "read the digest")
        let bench = try Workbench(environment, store: common.store, telling: telling)
        bench.mergeEmergencyRecords(telling)
        let actor = environment.responder(effect.actor)
        let found = try bench.resolve(session, for: "run \(document.name) --session")
        let reference = try bench.reference(found)
        try bench.requireStore(for: "run \(document.name)")
        let home = try openHome(bench, found, actor)
        telling.say("case     \(home.id)")
        telling.say("session  \(found.locator): \(Words.pin(found.pin))")
        let bound = try graph.binding(session, to: reference)
        let registry = try ActionCatalogue.registry(at: try bench.workplace(home, by: actor))
        if plan {
            let policy = try bench.approvals(asking: effect.actor).authority().policy
            return try tell(try Planner(registry).plan(bound), policy, home, telling)
        }
        var context = RunContext(
            home,
            registry,
            by: actor,
            reason: effect.reason ?? "",
            waiver: effect.waive,
            reverify: bench.reverifier(of: home)
        )
        let teller = RunTeller(telling)
        context.observe = { event in teller.take(event) }
        context.cancellation = Interruption.cancellation
        context.approvals = bench.approvals(asking: effect.actor)
        Interruption.listen()
        let result = try Runner(context).run(bound, approvedPlan: approved)
        return try RunReport(result: result, home: home).tell(telling, as: common.json ? .document : .text)
    }

    /// A store that cannot take a case must not keep anybody from stopping the agent: the hint says what works without.
    private func openHome(_ bench: Workbench, _ found: Session, _ actor: Responder) throws(Failure) -> Case {
        do throws(Failure) {
            return try bench.home(effect.case, about: [found.pin], reason: effect.reason, by: actor)
        } catch {
            guard error.hint == nil || error.code == .system else { throw error }
            throw error.hinting(
                "quell freeze \(ShellWord.quoted(session)) works without a store; then mend it and run again"
            )
        }
    }

    private func given(_ document: PlaybookDocument) throws(Failure) -> [String: String] {
        var given = ["session": session]
        if let reason = effect.reason, document.parameter("reason") != nil { given["reason"] = reason }
        for text in set {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else {
                throw Failure(.usage, "read --set", on: text, because: "it is not NAME=VALUE")
            }
            given[parts[0]] = parts[1]
        }
        return given
    }

    private func refuseUnasked(_ graph: StepGraph) throws(Failure) {
        guard !yes, approvePlan == nil else { return }
        for step in graph.steps {
            let nature = ActionCatalogue.descriptors.first { $0.name == step.action }?.nature
            guard nature == .destroys else { continue }
            throw Failure(
                .refused,
                "run the playbook",
                on: graph.name,
                because: "step \(step.id) destroys",
                hint: "look with --plan, then give --approve-plan DIGEST or --yes"
            )
        }
    }

    /// What the policy asks for before the step may act, a line each.
    private func approvals(of step: PlannedStep, _ policy: Policy) -> [String] {
        policy.rules(for: ActionCatalogue.descriptors.filter { $0.name == step.action }).map { rule in
            "\(rule.need.approvers) of role \(rule.need.role)"
        }
    }

    private func tell(
        _ plan: RunPlan,
        _ policy: Policy,
        _ home: Case,
        _ telling: Teller
    ) throws(Failure) -> Outcome {
        if common.json {
            var steps: [JSONValue] = []
            for step in plan.steps {
                steps.append([
                    "step": .string(step.step), "action": .string(step.action), "nature": .string(step.nature.rawValue),
                    "untrustedDecisions": .array(step.decisions.map { .string($0) }),
                    "untrustedEffects": .array(step.effects),
                    "waitsFor": .array(step.waitsFor.map { .string($0) }),
                    "approvals": .array(approvals(of: step, policy).map { .string($0) }),
                ])
            }
            telling.document([
                "case": .string(home.id.text), "digest": .string(plan.digest.hex),
                "steps": .array(steps),
            ])
            return plan.steps.contains { $0.failure != nil } ? .partial : .done
        }
        for step in plan.steps {
            telling.result("\(step.step)  \(step.action) (\(step.nature.rawValue))")
            for decision in step.decisions { telling.result("    \(Escaped.terminal(decision))") }
            for effect in step.effects {
                telling.result("    effect \(Escaped.terminal(CanonicalJSON.text(of: effect)))")
            }
            for need in approvals(of: step, policy) { telling.result("    waits for the approval of \(need)") }
            if !step.waitsFor.isEmpty { telling.result("    waits for \(step.waitsFor.joined(separator: ", "))") }
            if let failure = step.failure { telling.result("    \(failure)") }
        }
        telling.result("digest  \(plan.digest)")
        telling.say("next    the same command with --approve-plan \(plan.digest) instead of --plan")
        return plan.steps.contains { $0.failure != nil } ? .partial : .done
    }
}

extension StepGraph {
    /// The same graph with the session that the person named replaced by what it was resolved to (RT35).
    func binding(_ locator: String, to reference: SessionReference) throws(Failure) -> StepGraph {
        let value = try JSONEncoding.value(of: reference)
        var bound: [Step] = []
        for step in steps {
            let isSession =
                ActionCatalogue.descriptors.first { $0.name == step.action }?.inputs
                .filter { $0.kind == .session }.map(\.name) ?? []
            var parameters = step.parameters.object ?? JSONObject()
            for name in isSession where parameters[name] == .string(locator) { parameters[name] = value }
            bound.append(
                Step(
                    id: step.id,
                    action: step.action,
                    parameters: .object(parameters),
                    needs: step.needs,
                    after: step.after,
                    when: step.when,
                    timeout: step.timeoutNanoseconds.map { .nanoseconds($0) },
                    retries: step.retries,
                    onFailure: step.onFailure
                )
            )
        }
        return StepGraph(name: name, version: version, steps: bound)
    }
}
