/// The one reader of JSON: bounded in size and depth, without recursion into foreign code.
///
/// Two manners. `strict` is for what Quell itself signs and stores: UTF-8, no lone surrogates, no duplicate keys.
/// `lenient` is for what sessions write: invalid bytes and lone surrogates become U+FFFD, duplicate keys are all kept.
/// Everything else of RFC 8259 holds in both; the numbers `NaN` and `Infinity` are errors. The depth bound keeps the
/// descent within a thread's stack.
public struct JSONReader {
    /// How tolerant the reader is.
    public enum Manner: Sendable {
        /// For signed and stored documents.
        case strict
        /// For text that a session wrote.
        case lenient
    }

    /// What a reader accepts at most.
    public struct Limits: Sendable {
        /// How many bytes the text may have.
        public var bytes: Int
        /// How deep lists and objects may nest.
        public var depth: Int

        /// 64 MiB and 128 levels unless told.
        public init(bytes: Int = 64 << 20, depth: Int = 128) {
            self.bytes = bytes
            self.depth = depth
        }
    }

    private let input: UnsafeBufferPointer<UInt8>
    private let manner: Manner
    private let limits: Limits
    private var position = 0

    private init(_ input: UnsafeBufferPointer<UInt8>, _ manner: Manner, _ limits: Limits) {
        self.input = input
        self.manner = manner
        self.limits = limits
    }

    /// Reads exactly one value with white space around it.
    ///
    /// - Throws: `malformed` with the byte offset.
    public static func read(
        _ text: [UInt8],
        manner: Manner = .strict,
        limits: Limits = Limits()
    ) throws(Failure) -> JSONValue {
        try text.withUnsafeBufferPointer { buffer throws(Failure) -> JSONValue in
            try read(buffer, manner: manner, limits: limits)
        }
    }

    /// Reads exactly one value with white space around it, from borrowed memory.
    ///
    /// - Throws: `malformed` with the byte offset.
    public static func read(
        _ text: UnsafeBufferPointer<UInt8>,
        manner: Manner = .strict,
        limits: Limits = Limits()
    ) throws(Failure) -> JSONValue {
        var reader = JSONReader(text, manner, limits)
        guard text.count <= limits.bytes else { throw reader.problem("longer than \(limits.bytes) bytes") }
        reader.skipSpace()
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.position == text.count else { throw reader.problem("text behind the value") }
        return value
    }

    private func problem(_ reason: String) -> Failure {
        Failure(.malformed, "read JSON", on: "byte \(position)", because: reason)
    }

    private var current: UInt8? { position < input.count ? input[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func value(depth: Int) throws(Failure) -> JSONValue {
        switch current {
        case UInt8(ascii: "{"): return .object(try object(depth: try deeper(than: depth)))
        case UInt8(ascii: "["): return .array(try array(depth: try deeper(than: depth)))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw problem("the text ends where a value should stand")
        default: return try number()
        }
    }

    private func deeper(than depth: Int) throws(Failure) -> Int {
        guard depth < limits.depth else { throw problem("nested deeper than \(limits.depth) levels") }
        return depth + 1
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(Failure) -> JSONValue {
        let end = position + text.utf8CodeUnitCount
        guard end <= input.count else { throw problem("the text ends within a word") }
        for offset in 0..<text.utf8CodeUnitCount where input[position + offset] != text.utf8Start[offset] {
            throw problem("an unknown word")
        }
        position = end
        return value
    }

    private mutating func object(depth: Int) throws(Failure) -> JSONObject {
        var object = JSONObject()
        var keys = KeySet()
        position += 1
        skipSpace()
        if current == UInt8(ascii: "}") {
            position += 1
            return object
        }
        while true {
            guard current == UInt8(ascii: "\"") else { throw problem("a key should stand here") }
            let key = try string()
            if manner == .strict, !keys.insert(key) { throw problem("a key stands twice") }
            skipSpace()
            guard current == UInt8(ascii: ":") else { throw problem("a colon should stand here") }
            position += 1
            skipSpace()
            object.append(key, try value(depth: depth))
            skipSpace()
            let separator = current
            position += 1
            if separator == UInt8(ascii: "}") { return object }
            guard separator == UInt8(ascii: ",") else { throw problem("a comma or brace should stand here") }
            skipSpace()
        }
    }

    private mutating func array(depth: Int) throws(Failure) -> [JSONValue] {
        var elements: [JSONValue] = []
        position += 1
        skipSpace()
        if current == UInt8(ascii: "]") {
            position += 1
            return elements
        }
        while true {
            elements.append(try value(depth: depth))
            skipSpace()
            let separator = current
            position += 1
            if separator == UInt8(ascii: "]") { return elements }
            guard separator == UInt8(ascii: ",") else { throw problem("a comma or bracket should stand here") }
            skipSpace()
        }
    }

    private mutating func number() throws(Failure) -> JSONValue {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        let first = current
        let whole = digits()
        guard whole > 0 else { throw problem("not a value") }
        if first == UInt8(ascii: "0"), whole > 1 { throw problem("a number with a leading zero") }
        var isInteger = true
        if current == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            guard digits() > 0 else { throw problem("a point without digits") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isInteger = false
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            guard digits() > 0 else { throw problem("an exponent without digits") }
        }
        let text = String(decoding: input[start..<position], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw problem("a number out of range") }
        return .number(value)
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        return position - start
    }

    private mutating func string() throws(Failure) -> String {
        position += 1
        let start = position
        while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        if current == UInt8(ascii: "\"") {
            let text = try text(of: Array(input[start..<position]))
            position += 1
            return text
        }
        var bytes = Array(input[start..<position])
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try text(of: bytes)
            case UInt8(ascii: "\\"): try escape(into: &bytes)
            case 0..<0x20: throw problem("a control character within a string")
            default:
                bytes.append(byte)
                position += 1
            }
        }
        throw problem("the text ends within a string")
    }

    private func text(of bytes: [UInt8]) throws(Failure) -> String {
        if let valid = String(validating: bytes, as: UTF8.self) { return valid }
        if manner == .strict { throw problem("a string that is not UTF-8") }
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(Failure) {
        position += 1
        guard let byte = current else { throw problem("the text ends within an escape") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"): bytes.append(contentsOf: Array(String(try escapedScalar()).utf8))
        default: throw problem("an unknown escape")
        }
    }

    private mutating func escapedScalar() throws(Failure) -> Character {
        let unit = try codeUnit()
        if let scalar = Unicode.Scalar(UInt32(unit)) { return Character(scalar) }
        let isHighSurrogate = (0xD800..<0xDC00).contains(unit)
        if isHighSurrogate, position + 1 < input.count, input[position] == UInt8(ascii: "\\"),
            input[position + 1] == UInt8(ascii: "u")
        {
            let before = position
            position += 2
            let low = try codeUnit()
            if (0xDC00..<0xE000).contains(low) {
                let value = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00)
                if let scalar = Unicode.Scalar(value) { return Character(scalar) }
            }
            position = before
        }
        if manner == .strict { throw problem("a lone surrogate") }
        return "\u{FFFD}"
    }

    private mutating func codeUnit() throws(Failure) -> UInt16 {
        guard position + 4 <= input.count else { throw problem("the text ends within an escape") }
        var value: UInt16 = 0
        for _ in 0..<4 {
            let byte = input[position]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw problem("not a hexadecimal digit")
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }
}

/// The keys of one object so far, by bytes: a list while they are few, then a set, so that neither the common small
/// object nor a hostile large one is slow.
private struct KeySet {
    private var few: [String] = []
    private var many: Set<[UInt8]> = []

    /// Adds a key; false when it was there.
    mutating func insert(_ key: String) -> Bool {
        if !many.isEmpty { return many.insert(Array(key.utf8)).inserted }
        if few.contains(where: { $0.utf8.elementsEqual(key.utf8) }) { return false }
        few.append(key)
        if few.count > 16 { many = Set(few.map { Array($0.utf8) }) }
        return true
    }
}
