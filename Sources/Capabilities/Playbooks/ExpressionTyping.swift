import Base
import Documents
import Engine

/// Types an expression and turns it into the engine's condition, parameters replaced by their values.
struct ExpressionTyping {
    let names: NameScope
    let source: ExpressionSource

    func condition(_ expression: Expression) throws(Failure) -> Condition {
        switch expression {
        case .and(let left, let right): return .all([try condition(left), try condition(right)])
        case .or(let left, let right): return .any([try condition(left), try condition(right)])
        case .not(let inner, _): return .not(try condition(inner))
        case .compare(let left, let right, let isEqual, let offset):
            let equality = try equality(left, right, at: offset)
            return isEqual ? equality : .not(equality)
        case .literal, .parameter: return try constant(expression)
        case .output(let step, let field, let offset):
            let (reference, found) = try output(step, field, at: offset)
            switch found.kind {
            case .flag: return .equals(reference, true)
            case .text, .list: return .isFilled(reference)
            default: throw mismatch(at: offset, "\(field) is \(found.kind.words): compare it with == or !=")
            }
        case .state(_, let offset):
            throw mismatch(at: offset, "a state is no condition by itself", fix: "write steps.ID.state == succeeded")
        case .word(let word, let offset): throw unknown(word, at: offset)
        }
    }

    /// The constant true is "all of nothing", false is "any of nothing".
    private func constant(_ expression: Expression) throws(Failure) -> Condition {
        let (value, kind) = try known(expression)
        guard kind == .flag, case .bool(let flag) = value else {
            throw mismatch(at: expression.offset, "\(kind.words) is no condition by itself", fix: "compare it with ==")
        }
        return flag ? .all([]) : .any([])
    }

    private func equality(_ left: Expression, _ right: Expression, at offset: Int) throws(Failure) -> Condition {
        switch (left, right) {
        case (.state(let step, let at), let other), (let other, .state(let step, let at)):
            try names.runsBefore(step, at: source.place(of: at))
            return .ended(step: step, in: try state(other))
        case (.output(let step, let field, let at), .output):
            throw mismatch(at: at, "steps.\(step).\(field) can only be compared with a literal or a parameter")
        case (.output(let step, let field, let at), let other), (let other, .output(let step, let field, let at)):
            let (reference, found) = try output(step, field, at: at)
            return .equals(reference, try value(other, comparedWith: found))
        default:
            let (one, oneKind) = try known(left)
            let (two, twoKind) = try known(right)
            let isComparable = oneKind.fits(twoKind) || twoKind.fits(oneKind)
            guard isComparable, oneKind != .list, oneKind != .object else {
                throw mismatch(at: offset, "\(oneKind.words) cannot be compared with \(twoKind.words)")
            }
            return one == two ? .all([]) : .any([])
        }
    }

    private func value(_ expression: Expression, comparedWith field: Field) throws(Failure) -> JSONValue {
        let (value, kind) = try known(expression)
        let isText = kind == .text && field.kind == .session
        guard kind.fits(field.kind) || isText, kind != .list, kind != .object else {
            throw mismatch(at: expression.offset, "\(field.name) is \(field.kind.words), not \(kind.words)")
        }
        if case .string(let text) = value, !field.choices.isEmpty, !field.choices.contains(text),
            case .literal = expression
        {
            throw source.failure(
                at: expression.offset,
                "\(field.name) is never '\(text)'",
                fix: NearestWord.fix(for: text, among: field.choices, plural: "values")
            )
        }
        return value
    }

    private func state(_ expression: Expression) throws(Failure) -> StepState {
        let words = StepState.ends.map(\.rawValue)
        let word: String
        switch expression {
        case .word(let text, _), .literal(.string(let text), _, _): word = text
        default: throw mismatch(at: expression.offset, "a state is compared with a word", fix: "write succeeded")
        }
        guard let state = StepState(rawValue: word), state != .waiting else {
            throw source.failure(
                at: expression.offset,
                "unknown state \"\(word)\"",
                fix: NearestWord.fix(for: word, among: words, plural: "states")
            )
        }
        return state
    }

    /// The value and the type of what is known before the run.
    private func known(_ expression: Expression) throws(Failure) -> (JSONValue, Field.Kind) {
        switch expression {
        case .literal(let value, let kind, _): return (value, kind)
        case .parameter(let name, let offset): return try names.parameter(name, at: source.place(of: offset))
        case .word(let word, let offset): throw unknown(word, at: offset)
        default: throw mismatch(at: expression.offset, "a condition cannot be compared", fix: "use && and ||")
        }
    }

    private func output(_ step: String, _ field: String, at offset: Int) throws(Failure) -> (OutputReference, Field) {
        let found = try names.output(step, field, at: source.place(of: offset))
        return (OutputReference(step: step, field: field), found)
    }

    private func unknown(_ word: String, at offset: Int) -> Failure {
        source.failure(at: offset, "unknown word \"\(word)\"", fix: "put a text in quotes: '\(plain(word))'")
    }

    private func plain(_ word: String) -> String { word.utf8.count <= 40 ? word : "..." }

    private func mismatch(at offset: Int, _ reason: String, fix: String? = nil) -> Failure {
        source.failure(at: offset, reason, fix: fix)
    }
}
