import Base
import Documents
import Engine

/// Every parameter is used, by a reference, by a `when` or by an input of its name. `reason` is used by every run: it goes
/// into the journal.
enum UnusedParameterRule: LintRule {
    static let name = "unused-parameter"

    static func check(_ document: PlaybookDocument, against actions: KnownActions) -> [LintFinding] {
        let used = document.steps.reduce(into: Set(["reason"])) { names, step in
            for entry in step.with { names.formUnion(references(in: entry.value)) }
            for part in step.when?.expression.parts ?? [] {
                if case .parameter(let name, _) = part { names.insert(name) }
            }
            let given = Set(step.with.map(\.key))
            for field in actions[step.action.value]?.inputs ?? [] where !given.contains(field.name) {
                names.insert(field.name)
            }
        }
        return document.parameters.filter { !used.contains($0.name) }.map { parameter in
            let reason = "parameter \"\(parameter.name)\" is not used"
            return LintFinding(.warning, name, at: parameter.place, reason, fix: "remove it, or use it in \"with\"")
        }
    }

    private static func references(in document: Document) -> Set<String> {
        switch document.content {
        case .sequence(let items): return items.reduce(into: []) { $0.formUnion(references(in: $1)) }
        case .mapping(let entries): return entries.reduce(into: []) { $0.formUnion(references(in: $1.value)) }
        case .scalar(let scalar):
            do throws(Failure) {
                let names = try Template(document, scalar).pieces.compactMap { piece in
                    if case .parameter(let name) = piece { name } else { nil as String? }
                }
                return Set(names)
            } catch {
                // What is no template is told by the rule for inputs.
                return []
            }
        }
    }
}
