import Documents
import Engine

/// Every step calls an action that exists and waits only for steps that exist.
enum StepsRule: LintRule {
    static let name = "steps"

    static func check(_ document: PlaybookDocument, against actions: KnownActions) -> [LintFinding] {
        document.steps.flatMap { step in
            var found: [LintFinding] = []
            if actions[step.action.value] == nil {
                let reason = "unknown action \"\(step.action.value)\""
                let fix = NearestWord.fix(for: step.action.value, among: actions.names, plural: "actions")
                found.append(LintFinding(.error, name, at: step.action.place, reason, fix: fix))
            }
            let ids = document.steps.map(\.id.value)
            for link in step.needs + step.after where !ids.contains(link.value) {
                let others = ids.filter { $0 != step.id.value }
                let fix = NearestWord.fix(for: link.value, among: others, plural: "steps")
                found.append(LintFinding(.error, name, at: link.place, "there is no step \"\(link.value)\"", fix: fix))
            }
            return found
        }
    }
}
