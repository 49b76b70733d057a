import Base

/// Which steps may start, from what has ended. Pure: it holds no thread and no journal.
struct Schedule {
    /// What the runner has to do next.
    enum Decision {
        /// Start this step with these parameters, references resolved.
        case start(StepGraph.Step, parameters: JSONValue)
        /// This step ended without running.
        case settled(StepResult)
        /// All steps have ended.
        case finished
    }

    private let graph: StepGraph
    private var running: Set<String> = []
    private var stopped: String?
    private(set) var results: [String: StepResult]
    private(set) var journalFailure: Failure?

    init(_ graph: StepGraph, _ known: [String: StepResult]) {
        self.graph = graph
        results = known
        for result in known.values { stopIfNeeded(after: result) }
    }

    /// The next decision; `nil` while there is nothing to do but wait for a running step.
    mutating func next(cancelled: Bool) -> Decision? {
        for step in graph.steps where results[step.id] == nil && !running.contains(step.id) {
            guard (step.needs + step.after).allSatisfy(hasEnded) else { continue }
            if let result = ending(step, cancelled) {
                results[step.id] = result
                return .settled(result)
            }
            do {
                let parameters = try step.parameters.resolved(value)
                running.insert(step.id)
                return .start(step, parameters: parameters)
            } catch {
                let result = StepResult(step, .skipped, reasons: [error.reason], failure: error)
                results[step.id] = result
                return .settled(result)
            }
        }
        return running.isEmpty ? .finished : nil
    }

    private func hasEnded(_ step: String) -> Bool { results[step].map { $0.state != .waiting } ?? false }

    /// How the step ends without running; `nil` when it may run.
    private func ending(_ step: StepGraph.Step, _ cancelled: Bool) -> StepResult? {
        if cancelled { return StepResult(step, .cancelled, reasons: ["a person cancelled the run"]) }
        if journalFailure != nil { return StepResult(step, .skipped, reasons: ["the journal cannot be written"]) }
        if let stopped { return StepResult(step, .skipped, reasons: ["the run stopped after \(stopped)"]) }
        for name in step.needs {
            guard let needed = results[name], !needed.state.isEnough else { continue }
            return StepResult(step, .skipped, reasons: ["it needs \(name), which is \(needed.state.rawValue)"])
        }
        if let when = step.when, !when.holds(results) {
            return StepResult(step, .skipped, reasons: ["its condition is false"])
        }
        return nil
    }

    private func value(of reference: OutputReference) throws(Failure) -> JSONValue {
        if let value = results[reference.step]?.output?[reference.field] { return value }
        throw Failure(
            .notFound,
            "read an earlier output",
            on: "\(reference.step).\(reference.field)",
            because: "step \(reference.step) gave no \(reference.field)"
        )
    }

    mutating func ended(_ result: StepResult, _ failure: Failure?) {
        running.remove(result.step)
        results[result.step] = result
        if let failure { journalFailed(failure) }
        stopIfNeeded(after: result)
    }

    mutating func journalFailed(_ failure: Failure) { journalFailure = journalFailure ?? failure }

    private mutating func stopIfNeeded(after result: StepResult) {
        guard graph.step(result.step)?.onFailure == .stop else { return }
        switch result.state {
        case .failed, .timedOut, .refused, .unknownAfterCrash: stopped = stopped ?? result.step
        case .succeeded, .partial, .skipped, .cancelled, .waiting: break
        }
    }
}
