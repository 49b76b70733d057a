/// One node of a YAML document, with its place: a mapping with ordered unique keys, a sequence, or a scalar.
///
/// A small bounded tree: no anchors, no aliases, no tags, no merge keys, keys are scalars. Source: YAML 1.2.2, of which
/// this is a subset on purpose.
public struct Document: Hashable, Sendable {
    /// What a node is.
    public enum Content: Hashable, Sendable {
        /// Keys with their values, in the order of the file, each key once.
        case mapping([DocumentEntry])
        /// Items in order.
        case sequence([Document])
        /// One value.
        case scalar(DocumentScalar)
    }

    /// What this node is.
    public let content: Content
    /// Where it begins.
    public let place: Place

    /// Takes both parts.
    public init(_ content: Content, at place: Place) {
        self.content = content
        self.place = place
    }

    /// Line and column where the node begins.
    public var position: Position { place.position }

    /// What it is, for an error: `a mapping`, `a list`, `the text "x"`, `nothing`.
    public var kindWords: String {
        switch content {
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .scalar(let scalar) where scalar.tag == .null: "nothing"
        case .scalar(let scalar): "\"\(scalar.text)\""
        }
    }
}

/// One key of a mapping with its value.
public struct DocumentEntry: Hashable, Sendable {
    /// The key.
    public let key: String
    /// Where the key stands.
    public let keyPlace: Place
    /// The value.
    public let value: Document

    /// Takes all parts.
    public init(key: String, keyPlace: Place, value: Document) {
        self.key = key
        self.keyPlace = keyPlace
        self.value = value
    }
}

/// One value as it was written.
public struct DocumentScalar: Hashable, Sendable {
    /// What an unquoted scalar means by the core schema of YAML 1.2.2, section 10.3; a quoted one is always a string.
    /// `yes`, `no`, `on`, `off` are strings.
    public enum Tag: Hashable, Sendable {
        /// Empty, `~` or `null`.
        case null
        /// `true` or `false`.
        case bool
        /// Decimal digits with an optional sign.
        case int
        /// A decimal number with a point or an exponent.
        case float
        /// Anything else.
        case string
    }

    /// The text without quotes, escapes resolved.
    public let text: String
    /// What it means.
    public let tag: Tag
    /// Whether it was quoted or a block scalar.
    public let isQuoted: Bool

    /// Takes the text; `isQuoted` decides whether it can be anything but a string.
    public init(_ text: String, isQuoted: Bool) {
        self.text = text
        self.isQuoted = isQuoted
        tag = isQuoted ? .string : CoreSchema.tag(of: text)
    }
}

/// The core schema of YAML 1.2.2 for plain scalars, less hexadecimal, octal, infinities and not-a-number.
enum CoreSchema {
    static func tag(of text: String) -> DocumentScalar.Tag {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "false", "False", "FALSE": return .bool
        default: break
        }
        var digits = text.utf8[...]
        if digits.first == UInt8(ascii: "-") || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
        guard let first = digits.first, isDigit(first) else { return .string }
        if digits.allSatisfy(isDigit) { return .int }
        return isFloat(digits) ? .float : .string
    }

    private static func isFloat(_ digits: Substring.UTF8View) -> Bool {
        var rest = digits.drop(while: isDigit)
        if rest.first == UInt8(ascii: ".") { rest = rest.dropFirst().drop(while: isDigit) }
        guard let exponent = rest.first else { return true }
        guard exponent == UInt8(ascii: "e") || exponent == UInt8(ascii: "E") else { return false }
        rest = rest.dropFirst()
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        return !rest.isEmpty && rest.allSatisfy(isDigit)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
