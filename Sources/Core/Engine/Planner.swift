public import Base
import Sealing

/// What one step would do.
public struct PlannedStep: Sendable {
    /// The step.
    public let step: String
    /// The action's name.
    public let action: String
    /// What kind of thing it does.
    public let nature: Nature
    /// The sessions it is about.
    public let pins: [SessionPin]
    /// What was decided, a line each; shown to the person who approves, and part of the digest.
    public let decisions: [String]
    /// The effects that are known beforehand, as JSON; shown, but not part of the digest, because pids may be in them.
    public let effects: [JSONValue]
    /// Why it cannot be said yet: the outputs of these steps are needed first.
    public let waitsFor: [String]
    /// Why looking failed.
    public let failure: Failure?
}

/// What a run would do. The digest binds the graph with its parameters, the pins and the decisions (RT17): the same
/// session seen again gives the same digest, however many processes it has by then.
public struct RunPlan: Sendable {
    /// The steps in the order of the graph.
    public let steps: [PlannedStep]
    /// SHA-256 over canonical JSON of graph, pins and decisions.
    public let digest: Digest
}

/// Says what a graph would do, without doing it.
public struct Planner: Sendable {
    private let registry: ActionRegistry
    private let clock: Clock
    private let cancellation: Cancellation

    /// Takes the actions.
    public init(_ registry: ActionRegistry, clock: Clock = .system, cancellation: Cancellation = Cancellation()) {
        self.registry = registry
        self.clock = clock
        self.cancellation = cancellation
    }

    /// Inspects and plans each step. A step that cannot be inspected is planned with its failure, not left out.
    ///
    /// - Throws: `malformed` when the graph has problems.
    public func plan(_ graph: StepGraph) throws(Failure) -> RunPlan {
        try graph.check(against: registry)
        var steps: [PlannedStep] = []
        for step in graph.steps { steps.append(try plan(step)) }
        var decided: [JSONValue] = []
        for step in steps {
            decided.append([
                "decisions": .array(step.decisions.map(JSONValue.string)),
                "failure": step.failure.map { .string($0.code.rawValue) } ?? .null,
                "pins": try JSONEncoding.value(of: step.pins), "step": .string(step.step),
            ])
        }
        let bound: JSONValue = ["decided": .array(decided), "graph": try JSONEncoding.value(of: graph)]
        return RunPlan(steps: steps, digest: SHA256.digest(of: CanonicalJSON.bytes(of: bound)))
    }

    private func plan(_ step: StepGraph.Step) throws(Failure) -> PlannedStep {
        let action = try registry.action(step.action)
        let waitsFor = Set(step.parameters.references.map(\.step)).sorted()
        var seen: AnyPlan?
        var failure: Failure?
        if waitsFor.isEmpty {
            let span = step.timeoutNanoseconds.map { Duration.nanoseconds($0) } ?? action.descriptor.deadline
            let scope = Scope(clock: clock, deadline: Deadline(after: span), cancellation: cancellation)
            do { seen = try action.plan(step.parameters, scope) } catch { failure = error }
        }
        return PlannedStep(
            step: step.id,
            action: step.action,
            nature: action.descriptor.nature,
            pins: seen?.pins ?? [],
            decisions: seen?.decisions ?? [],
            effects: seen?.effects ?? [],
            waitsFor: waitsFor,
            failure: failure
        )
    }
}
