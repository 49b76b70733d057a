public import Base
import Documents
public import Engine

extension PlaybookDocument {
    /// The graph of a run: parameters replaced by their values, references typed, the order checked.
    ///
    /// - Parameters:
    ///   - given: what the run sets, by name, as text: `--set NAME=TEXT` and the locator of `--session`.
    ///   - actions: the actions that exist.
    /// - Throws: `malformed` with file, line, column and fix for the first error of the playbook; `usage` for a value that
    ///   is missing, unknown or of another type. Warnings of ``lint(against:)`` are not errors.
    public func graph(given: [String: String], actions: KnownActions) throws(Failure) -> StepGraph {
        if let finding = lint(against: actions).first(where: { $0.severity == .error }) { throw finding.failure }
        let values = try values(given)
        var steps: [StepGraph.Step] = []
        for step in self.steps { steps.append(try graphStep(step, values, actions)) }
        return StepGraph(name: name, version: version, steps: steps)
    }

    private func graphStep(
        _ step: PlaybookStep,
        _ values: [String: JSONValue],
        _ actions: KnownActions
    ) throws(Failure) -> StepGraph.Step {
        guard let descriptor = actions[step.action.value] else {
            throw step.action.place.failure("unknown action \"\(step.action.value)\"")
        }
        let names = NameScope(document: self, actions: actions, step: step, values: values)
        let condition = try step.when.map { when throws(Failure) in
            try ExpressionTyping(names: names, source: when.source).condition(when.expression)
        }
        return StepGraph.Step(
            id: step.id.value,
            action: step.action.value,
            parameters: try InputBinding(names: names, descriptor: descriptor).input(),
            needs: step.needs.map(\.value),
            after: step.after.map(\.value),
            when: condition,
            timeout: step.timeout,
            retries: step.retries,
            onFailure: step.onFailure
        )
    }

    private func values(_ given: [String: String]) throws(Failure) -> [String: JSONValue] {
        for name in given.keys.sorted() where parameter(name) == nil {
            throw Failure(
                .usage,
                "run the playbook \(self.name)",
                on: name,
                because: "it has no parameter of that name",
                hint: NearestWord.fix(for: name, among: parameters.map(\.name), plural: "parameters")
            )
        }
        var values: [String: JSONValue] = [:]
        for parameter in parameters {
            if let text = given[parameter.name] {
                values[parameter.name] = try parameter.value(given: text)
            } else if parameter.isRequired {
                let isSession = parameter.kind == .session && parameter.name == "session"
                throw Failure(
                    .usage,
                    "run the playbook \(self.name)",
                    on: parameter.name,
                    because: "this parameter must be given",
                    hint: isSession ? "add --session LOCATOR" : "add --set \(parameter.name)=VALUE"
                )
            } else {
                values[parameter.name] = parameter.valueWhenAbsent
            }
        }
        return values
    }
}
