import Base
import Documents
import Engine

/// Every `when` is well typed.
enum ConditionsRule: LintRule {
    static let name = "when"

    static func check(_ document: PlaybookDocument, against actions: KnownActions) -> [LintFinding] {
        document.steps.compactMap { step in
            guard let when = step.when else { return nil }
            let names = NameScope(document: document, actions: actions, step: step, values: [:])
            do throws(Failure) {
                _ = try ExpressionTyping(names: names, source: when.source).condition(when.expression)
                return nil
            } catch {
                return LintFinding(name, error, in: document, near: step.place)
            }
        }
    }
}
