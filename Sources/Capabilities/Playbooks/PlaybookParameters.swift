import Base
import Documents
import Engine

extension PlaybookParameter {
    /// The words of the types and what they mean.
    static let kinds: [(word: String, kind: Field.Kind)] = [
        ("session", .session), ("string", .text), ("int", .integer), ("bool", .flag), ("duration", .duration),
        ("list", .list),
    ]

    init(_ entry: DocumentEntry) throws(Failure) {
        let isName = entry.key.utf8.allSatisfy { ExpressionLexer.isWordByte($0) && $0 != UInt8(ascii: "-") }
        guard isName, let first = entry.key.utf8.first, ExpressionLexer.isLetter(first) else {
            throw entry.keyPlace.failure(
                "the name of a parameter has letters, digits and _, a letter in front",
                fix: "rename it"
            )
        }
        let mapping = try entry.value.mapping(known: ["type", "default", "required"])
        let kind = try PlaybookParameter.kind(try mapping.required("type"))
        let isRequired = try mapping["required"]?.bool()
        name = entry.key
        self.kind = kind
        place = entry.keyPlace
        guard let written = mapping["default"] else {
            defaultValue = nil
            // What is not required and not given is empty; types without an empty value must be given.
            if isRequired == false, PlaybookParameter.empty(kind) == nil {
                throw entry.keyPlace.failure("it is not required but has no default", fix: "add \"default: ...\"")
            }
            self.isRequired = isRequired ?? true
            return
        }
        if kind == .session {
            throw written.place.failure("a session is always given by a person", fix: "remove the default")
        }
        if isRequired == true {
            throw written.place.failure("it is required and has a default", fix: "keep one of them")
        }
        self.isRequired = false
        defaultValue = try PlaybookParameter.value(written, kind)
    }

    /// The value of a parameter that nobody gave.
    var valueWhenAbsent: JSONValue { defaultValue ?? PlaybookParameter.empty(kind) ?? .null }

    /// Some value of the type, for checking what does not depend on it.
    var sample: JSONValue {
        if let defaultValue { return defaultValue }
        switch kind {
        case .integer, .number, .duration: return 1
        case .flag: return false
        case .list: return []
        case .object: return [:]
        case .text, .session: return "text"
        }
    }

    /// Reads the value that a run sets as text: `--set NAME=TEXT`; the items of a list are separated by commas.
    func value(given text: String) throws(Failure) -> JSONValue {
        switch kind {
        case .text, .session: return .string(text)
        case .list: return .array(text.isEmpty ? [] : text.split(separator: ",").map { .string(String($0)) })
        case .integer, .number:
            guard let number = Int64(text) else { throw refused(text, "a whole number") }
            return .integer(number)
        case .flag:
            guard let flag = Bool(text) else { throw refused(text, "true or false") }
            return .bool(flag)
        case .duration:
            guard let duration = Duration(written: text) else { throw refused(text, "a duration such as 5s or 2m") }
            return .integer(duration.wholeNanoseconds)
        case .object: throw refused(text, "nothing that can be set")
        }
    }

    private func refused(_ text: String, _ expected: String) -> Failure {
        Failure(.usage, "set the parameter \(name)", on: text, because: "expected \(expected)")
    }

    private static func kind(_ value: Document) throws(Failure) -> Field.Kind {
        let word = try value.string()
        guard let known = kinds.first(where: { $0.word == word }) else {
            throw value.place.failure(
                "unknown type \"\(word)\"",
                fix: NearestWord.fix(for: word, among: kinds.map(\.word), plural: "types")
            )
        }
        return known.kind
    }

    private static func empty(_ kind: Field.Kind) -> JSONValue? {
        switch kind {
        case .text: ""
        case .list: []
        case .flag: false
        default: nil
        }
    }

    private static func value(_ document: Document, _ kind: Field.Kind) throws(Failure) -> JSONValue {
        switch kind {
        case .text, .session: return .string(try document.string())
        case .integer, .number: return .integer(Int64(try document.int()))
        case .flag: return .bool(try document.bool())
        case .duration: return .integer(try document.duration().wholeNanoseconds)
        case .list: return .array(try document.strings().map { .string($0) })
        case .object: throw document.place.failure("a parameter is no mapping")
        }
    }
}

extension Field.Kind {
    /// The word for people.
    var words: String {
        switch self {
        case .text: "a text"
        case .integer: "a whole number"
        case .number: "a number"
        case .flag: "true or false"
        case .duration: "a duration"
        case .session: "a session"
        case .list: "a list"
        case .object: "a mapping"
        }
    }

    /// Whether a value of this kind may stand where `wanted` is expected.
    func fits(_ wanted: Field.Kind) -> Bool { self == wanted || (self == .integer && wanted == .number) }
}
