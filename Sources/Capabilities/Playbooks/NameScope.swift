import Base
import Documents
public import Engine

/// What a step may refer to: the parameters, and the outputs of steps that have ended before it.
struct NameScope {
    let document: PlaybookDocument
    let actions: KnownActions
    let step: PlaybookStep
    let values: [String: JSONValue]

    /// The value and the type of a parameter.
    func parameter(_ name: String, at place: Place) throws(Failure) -> (JSONValue, Field.Kind) {
        guard let parameter = document.parameter(name) else {
            throw place.failure(
                "unknown parameter \"\(name)\"",
                fix: NearestWord.fix(for: name, among: document.parameters.map(\.name), plural: "parameters")
            )
        }
        return (values[name] ?? parameter.sample, parameter.kind)
    }

    /// The declared member of a step's output.
    func output(_ id: String, _ field: String, at place: Place) throws(Failure) -> Field {
        try runsBefore(id, at: place)
        guard let target = document.step(id), let descriptor = actions[target.action.value] else {
            throw place.failure("step \"\(id)\" has no known action")
        }
        guard let found = descriptor.outputs.first(where: { $0.name == field }) else {
            throw place.failure(
                "\(descriptor.name) has no output \"\(field)\"",
                fix: NearestWord.fix(for: field, among: descriptor.outputs.map(\.name), plural: "outputs")
            )
        }
        return found
    }

    /// Refuses a step that does not exist or may still run.
    func runsBefore(_ id: String, at place: Place) throws(Failure) {
        guard document.step(id) != nil else {
            throw place.failure(
                "there is no step \"\(id)\"",
                fix: NearestWord.fix(for: id, among: document.steps.map(\.id.value), plural: "steps")
            )
        }
        guard StepOrder(document).ancestors(of: step.id.value).contains(id) else {
            throw place.failure(
                "step \"\(id)\" may still run when \"\(step.id.value)\" starts",
                fix: "add \"needs: [\(id)]\" or \"after: [\(id)]\""
            )
        }
    }
}

/// The actions that exist, by name.
public struct KnownActions: Sendable {
    private let descriptors: [String: ActionDescriptor]

    /// The names, sorted.
    public let names: [String]

    /// Takes the descriptors; of two with one name the first counts.
    public init(_ descriptors: [ActionDescriptor]) {
        self.descriptors = Dictionary(descriptors.map { ($0.name, $0) }) { first, _ in first }
        names = self.descriptors.keys.sorted()
    }

    /// What is known of an action.
    public subscript(name: String) -> ActionDescriptor? { descriptors[name] }
}

/// Which steps have ended when another one starts.
struct StepOrder {
    private let document: PlaybookDocument

    init(_ document: PlaybookDocument) { self.document = document }

    /// All steps before `id`, by needs and after.
    func ancestors(of id: String) -> Set<String> { closure(of: id) { $0.needs + $0.after } }

    /// All steps that must have succeeded before `id`, by needs alone.
    func requirements(of id: String) -> Set<String> { closure(of: id) { $0.needs } }

    private func closure(of id: String, by links: (PlaybookStep) -> [Located<String>]) -> Set<String> {
        var found = Set<String>()
        var waiting = [id]
        while let next = waiting.popLast(), let step = document.step(next) {
            for link in links(step) where found.insert(link.value).inserted { waiting.append(link.value) }
        }
        return found
    }
}
