import Base
import Documents
import Engine

/// Every step can run: its `when` can be true while what it needs has succeeded.
///
/// `needs: [a]` with `when: steps.a.state == failed` never runs; write `after: [a]`.
enum UnreachableRule: LintRule {
    static let name = "unreachable"

    static func check(_ document: PlaybookDocument, against actions: KnownActions) -> [LintFinding] {
        let order = StepOrder(document)
        let dead = document.steps.filter { step in
            step.when.map { truth($0.expression, succeeded: order.requirements(of: step.id.value)) == false } ?? false
        }
        let ids = Set(dead.map(\.id.value))
        return document.steps.compactMap { step in
            if ids.contains(step.id.value), let when = step.when {
                let reason = "step \"\(step.id.value)\" can never run: its condition is always false"
                let fix = "write \"after\" instead of \"needs\" for steps that may fail"
                return LintFinding(.warning, name, at: when.source.place, reason, fix: fix)
            }
            guard let cause = order.requirements(of: step.id.value).intersection(ids).min() else { return nil }
            let reason = "step \"\(step.id.value)\" can never run: it needs \"\(cause)\", which never runs"
            return LintFinding(.warning, name, at: step.place, reason, fix: "remove it, or let \"\(cause)\" run")
        }
    }

    /// What is known of an expression before any run; `nil` when it depends.
    private static func truth(_ expression: Expression, succeeded: Set<String>) -> Bool? {
        switch expression {
        case .literal(.bool(let flag), _, _): return flag
        case .literal, .word, .parameter, .output, .state: return nil
        case .not(let inner, _): return truth(inner, succeeded: succeeded).map { !$0 }
        case .and(let left, let right):
            let sides = [truth(left, succeeded: succeeded), truth(right, succeeded: succeeded)]
            if sides.contains(false) { return false }
            return sides.contains(nil) ? nil : true
        case .or(let left, let right):
            let sides = [truth(left, succeeded: succeeded), truth(right, succeeded: succeeded)]
            if sides.contains(true) { return true }
            return sides.contains(nil) ? nil : false
        case .compare(let left, let right, let isEqual, _):
            return equality(left, right, succeeded: succeeded).map { $0 == isEqual }
        }
    }

    private static func equality(_ left: Expression, _ right: Expression, succeeded: Set<String>) -> Bool? {
        switch (left, right) {
        case (.literal(let one, _, _), .literal(let two, _, _)): return one == two
        case (.state(let step, _), let other), (let other, .state(let step, _)):
            guard succeeded.contains(step), let state = state(other) else { return nil }
            return state.isEnough ? nil : false
        default: return nil
        }
    }

    private static func state(_ expression: Expression) -> StepState? {
        switch expression {
        case .word(let word, _), .literal(.string(let word), _, _): StepState(rawValue: word)
        default: nil
        }
    }
}
