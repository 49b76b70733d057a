public import Base

/// One thing that is wrong with a graph; the linter adds the line and column.
public struct GraphProblem: Hashable, Sendable {
    /// The step it was found in.
    public let step: String
    /// The member it was found in: `needs`, `after`, `when`, `action`, or the name of a parameter.
    public let member: String
    /// What is wrong, one line.
    public let text: String
}

extension StepGraph {
    /// Everything that is wrong, in the order of the steps: unknown actions and parameters, missing ones, references to
    /// steps that do not run before or have no such output, cycles.
    public func problems(against registry: ActionRegistry) -> [GraphProblem] {
        var found: [GraphProblem] = []
        var seen: Set<String> = []
        for step in steps {
            if !seen.insert(step.id).inserted {
                found.append(.init(step: step.id, member: "id", text: "the id stands twice"))
            }
            found += idProblems(step) + orderProblems(step) + actionProblems(step, registry)
        }
        return found + cycleProblems()
    }

    /// Refuses a graph with problems.
    ///
    /// - Throws: `malformed` with the first one.
    public func check(against registry: ActionRegistry) throws(Failure) {
        guard let problem = problems(against: registry).first else { return }
        throw Failure(
            .malformed,
            "build the graph",
            on: "step \(problem.step), \(problem.member)",
            because: problem.text
        )
    }

    private func idProblems(_ step: Step) -> [GraphProblem] {
        let isPlain =
            !step.id.isEmpty
            && step.id.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "-")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }
        return isPlain ? [] : [.init(step: step.id, member: "id", text: "an id has only a to z, 0 to 9 and -")]
    }

    private func orderProblems(_ step: Step) -> [GraphProblem] {
        var found: [GraphProblem] = []
        for (member, names) in [("needs", step.needs), ("after", step.after)] {
            for name in names where self.step(name) == nil {
                found.append(.init(step: step.id, member: member, text: "there is no step \(name)"))
            }
        }
        if step.retries < 0 { found.append(.init(step: step.id, member: "retry", text: "it is negative")) }
        if let timeout = step.timeoutNanoseconds, timeout <= 0 {
            found.append(.init(step: step.id, member: "timeout", text: "it is not positive"))
        }
        return found
    }

    private func actionProblems(_ step: Step, _ registry: ActionRegistry) -> [GraphProblem] {
        guard let descriptor = registry.descriptor(of: step.action) else {
            return [.init(step: step.id, member: "action", text: "there is no action \(step.action)")]
        }
        let given = step.parameters.object?.members ?? []
        var found: [GraphProblem] = []
        for member in given where !descriptor.inputs.contains(where: { $0.name == member.key }) {
            found.append(.init(step: step.id, member: member.key, text: "\(step.action) has no such parameter"))
        }
        for input in descriptor.inputs where input.isRequired && !given.contains(where: { $0.key == input.name }) {
            found.append(.init(step: step.id, member: input.name, text: "\(step.action) requires it"))
        }
        for member in given {
            for reference in member.value.references {
                found += referenceProblems(reference, in: step, member.key, registry)
            }
        }
        for reference in step.when?.references ?? [] {
            found += referenceProblems(reference, in: step, "when", registry)
        }
        for name in step.when?.steps ?? [] where !ancestors(of: step.id).contains(name) {
            found.append(.init(step: step.id, member: "when", text: "step \(name) does not run before"))
        }
        return found
    }

    private func referenceProblems(
        _ reference: OutputReference,
        in step: Step,
        _ member: String,
        _ registry: ActionRegistry
    ) -> [GraphProblem] {
        guard ancestors(of: step.id).contains(reference.step), let target = self.step(reference.step) else {
            let text = "step \(reference.step) does not run before: name it in needs or after"
            return [.init(step: step.id, member: member, text: text)]
        }
        let outputs = registry.descriptor(of: target.action)?.outputs ?? []
        if outputs.contains(where: { $0.name == reference.field }) { return [] }
        return [.init(step: step.id, member: member, text: "\(target.action) has no output \(reference.field)")]
    }

    /// All steps that have ended when `id` starts.
    func ancestors(of id: String) -> Set<String> {
        var found: Set<String> = []
        var open = [id]
        while let next = open.popLast(), let step = step(next) {
            for name in step.needs + step.after where found.insert(name).inserted { open.append(name) }
        }
        return found
    }

    private func cycleProblems() -> [GraphProblem] {
        steps.filter { ancestors(of: $0.id).contains($0.id) }.prefix(1).map { step in
            .init(step: step.id, member: "needs", text: "it waits for itself")
        }
    }
}

extension JSONValue {
    /// The output references anywhere in the value.
    var references: [OutputReference] {
        if let reference = OutputReference(self) { return [reference] }
        switch self {
        case .array(let elements): return elements.flatMap(\.references)
        case .object(let object): return object.members.flatMap(\.value.references)
        default: return []
        }
    }

    /// The value with each reference replaced by what `lookup` gives for it.
    ///
    /// - Throws: what `lookup` throws.
    func resolved(_ lookup: (OutputReference) throws(Failure) -> JSONValue) throws(Failure) -> JSONValue {
        if let reference = OutputReference(self) { return try lookup(reference) }
        switch self {
        case .array(let elements):
            var resolved: [JSONValue] = []
            for element in elements { resolved.append(try element.resolved(lookup)) }
            return .array(resolved)
        case .object(let object):
            var resolved = JSONObject()
            for member in object.members { resolved[member.key] = try member.value.resolved(lookup) }
            return .object(resolved)
        default: return self
        }
    }
}

extension Condition {
    /// The outputs it looks at.
    var references: [OutputReference] {
        switch self {
        case .equals(let reference, _), .isFilled(let reference): [reference]
        case .ended: []
        case .not(let inner): inner.references
        case .all(let inner), .any(let inner): inner.flatMap(\.references)
        }
    }

    /// The steps whose end it looks at.
    var steps: [String] {
        switch self {
        case .equals, .isFilled: []
        case .ended(let step, _): [step]
        case .not(let inner): inner.steps
        case .all(let inner), .any(let inner): inner.flatMap(\.steps)
        }
    }

    /// Whether it is true of the steps that ended.
    func holds(_ results: [String: StepResult]) -> Bool {
        switch self {
        case .equals(let reference, let value): results[reference.step]?.output?[reference.field] == value
        case .isFilled(let reference):
            switch results[reference.step]?.output?[reference.field] {
            case .string(let text): !text.isEmpty
            case .array(let elements): !elements.isEmpty
            case nil, .null: false
            default: true
            }
        case .ended(let step, let state): results[step]?.state == state
        case .not(let inner): !inner.holds(results)
        case .all(let inner): inner.allSatisfy { $0.holds(results) }
        case .any(let inner): inner.contains { $0.holds(results) }
        }
    }
}
