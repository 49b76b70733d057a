import Base
import Documents
import Engine

/// A small typed expression over parameters and over what steps ended with.
///
/// ```
/// or      = and { "||" and }
/// and     = not { "&&" not }
/// not     = "!" not | compare
/// compare = value [ ("==" | "!=") value ]
/// value   = "(" or ")" | parameters.NAME | steps.ID.state | steps.ID.FIELD
///         | true | false | number | duration | 'text' | state
/// ```
indirect enum Expression: Sendable {
    case literal(JSONValue, Field.Kind, at: Int)
    /// A word without quotes: the name of a state, nothing else.
    case word(String, at: Int)
    case parameter(String, at: Int)
    case output(step: String, field: String, at: Int)
    case state(step: String, at: Int)
    case not(Expression, at: Int)
    case and(Expression, Expression)
    case or(Expression, Expression)
    case compare(Expression, Expression, isEqual: Bool, at: Int)

    /// The offset of the operator or the value in the text, in characters.
    var offset: Int {
        switch self {
        case .literal(_, _, let at), .word(_, let at), .parameter(_, let at), .output(_, _, let at), .state(_, let at),
            .not(_, let at), .compare(_, _, _, let at):
            at
        case .and(let left, _), .or(let left, _): left.offset
        }
    }

    /// This expression and all within it.
    var parts: [Expression] {
        switch self {
        case .literal, .word, .parameter, .output, .state: [self]
        case .not(let inner, _): [self] + inner.parts
        case .and(let left, let right), .or(let left, let right), .compare(let left, let right, _, _):
            [self] + left.parts + right.parts
        }
    }
}

/// The text of an expression and where it stands.
struct ExpressionSource: Sendable {
    let place: Place
    /// How far the first character stands from the place: one behind a quote.
    let shift: Int
    /// Whether the text stands on one line, so that columns can be told.
    let isOneLine: Bool

    func place(of offset: Int) -> Place {
        guard isOneLine else { return place }
        let position = place.position
        return Place(
            file: place.file,
            position: Position(line: position.line, column: position.column + shift + offset)
        )
    }

    func failure(at offset: Int, _ reason: String, fix: String? = nil) -> Failure {
        place(of: offset).failure(reason, fix: fix)
    }
}

extension WhenText {
    init(_ document: Document) throws(Failure) {
        text = try document.string()
        guard case .scalar(let scalar) = document.content else { throw document.expected("an expression") }
        guard text.count <= 500 else { throw document.place.failure("an expression has at most 500 characters") }
        source = ExpressionSource(
            place: document.place,
            shift: scalar.isQuoted ? 1 : 0,
            isOneLine: !text.contains(where: \.isNewline)
        )
        var parser = ExpressionParser(tokens: try ExpressionLexer.tokens(text, source), source: source)
        expression = try parser.whole()
    }
}

/// Reads tokens into an ``Expression``.
struct ExpressionParser {
    let tokens: [ExpressionToken]
    let source: ExpressionSource
    private var position = 0
    private var depth = 0

    init(tokens: [ExpressionToken], source: ExpressionSource) {
        self.tokens = tokens
        self.source = source
    }

    mutating func whole() throws(Failure) -> Expression {
        let expression = try or()
        let rest = tokens[position]
        guard rest.kind == .end else {
            throw source.failure(at: rest.offset, "unexpected \(rest.words)", fix: "join conditions with && or ||")
        }
        return expression
    }

    private mutating func or() throws(Failure) -> Expression {
        var left = try and()
        while take("||") != nil { left = .or(left, try and()) }
        return left
    }

    private mutating func and() throws(Failure) -> Expression {
        var left = try not()
        while take("&&") != nil { left = .and(left, try not()) }
        return left
    }

    private mutating func not() throws(Failure) -> Expression {
        guard let token = take("!") else { return try compare() }
        depth += 1
        defer { depth -= 1 }
        guard depth <= 32 else { throw source.failure(at: token.offset, "nested deeper than 32 levels") }
        return .not(try not(), at: token.offset)
    }

    private mutating func compare() throws(Failure) -> Expression {
        let left = try value()
        for (text, isEqual) in [("==", true), ("!=", false)] {
            if let token = take(text) { return .compare(left, try value(), isEqual: isEqual, at: token.offset) }
        }
        return left
    }

    private mutating func value() throws(Failure) -> Expression {
        let token = tokens[position]
        if take("(") != nil {
            depth += 1
            defer { depth -= 1 }
            guard depth <= 32 else { throw source.failure(at: token.offset, "nested deeper than 32 levels") }
            let inner = try or()
            guard take(")") != nil else {
                throw source.failure(at: tokens[position].offset, "a parenthesis is not closed", fix: "add \")\"")
            }
            return inner
        }
        switch token.kind {
        case .text(let text):
            position += 1
            return .literal(.string(text), .text, at: token.offset)
        case .word(let word):
            position += 1
            return try value(word, at: token.offset)
        case .sign, .end:
            throw source.failure(
                at: token.offset,
                "expected a value, found \(token.words)",
                fix: "write parameters.NAME, steps.ID.state, steps.ID.FIELD or a literal"
            )
        }
    }

    private func value(_ word: String, at offset: Int) throws(Failure) -> Expression {
        if let flag = Bool(word) { return .literal(.bool(flag), .flag, at: offset) }
        if let number = Int64(word) { return .literal(.integer(number), .integer, at: offset) }
        if let duration = Duration(written: word) {
            return .literal(.integer(duration.wholeNanoseconds), .duration, at: offset)
        }
        let parts = word.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        switch (parts.first, parts.count) {
        case ("parameters", 2): return .parameter(parts[1], at: offset)
        case ("steps", 3) where parts[2] == "state": return .state(step: parts[1], at: offset)
        case ("steps", 3): return .output(step: parts[1], field: parts[2], at: offset)
        case (_, 1): return .word(word, at: offset)
        default:
            throw source.failure(
                at: offset,
                "unknown name \"\(word)\"",
                fix: "write parameters.NAME, steps.ID.state or steps.ID.FIELD"
            )
        }
    }

    private mutating func take(_ sign: String) -> ExpressionToken? {
        guard tokens[position].kind == .sign(sign) else { return nil }
        defer { position += 1 }
        return tokens[position]
    }
}
