/// Turns ``JSONValue`` into `Decodable` values. Unknown members are ignored, as synthesized conformances do; a type
/// that must refuse them checks its keys itself.
public enum JSONDecoding {
    /// Reads strict JSON text into `type`.
    ///
    /// - Throws: `malformed` with the path of the member that does not fit.
    public static func decode<Result: Decodable>(_ type: Result.Type, from text: [UInt8]) throws(Failure) -> Result {
        try decode(type, from: try JSONReader.read(text))
    }

    /// Reads `value` into `type`.
    ///
    /// - Throws: `malformed` with the path of the member that does not fit.
    public static func decode<Result: Decodable>(_ type: Result.Type, from value: JSONValue) throws(Failure) -> Result {
        do {
            return try Result(from: ValueDecoder(value: value, codingPath: []))
        } catch let failure as Failure {
            throw failure
        } catch let error as DecodingError {
            throw Failure(.malformed, "read JSON as \(type)", on: error.place, because: error.words)
        } catch {
            throw Failure(.malformed, "read JSON as \(type)", on: "the whole", because: "\(error)")
        }
    }
}

extension DecodingError {
    private var context: Context {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
            .dataCorrupted(let context):
            context
        @unknown default: Context(codingPath: [], debugDescription: "unknown")
        }
    }
    fileprivate var place: String {
        let path = context.codingPath.map(\.stringValue).joined(separator: ".")
        return path.isEmpty ? "the whole" : path
    }
    fileprivate var words: String {
        if case .keyNotFound(let key, _) = self { return "member \(key.stringValue) is missing" }
        return context.debugDescription
    }
}

private struct ValueDecoder: Decoder {
    let value: JSONValue
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = value else { throw mismatch([String: JSONValue].self, "an object") }
        return KeyedDecodingContainer(Keyed<Key>(object: object, codingPath: codingPath))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = value else { throw mismatch([JSONValue].self, "a list") }
        return Unkeyed(elements: elements, codingPath: codingPath)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        Single(decoder: self)
    }

    func mismatch(_ type: Any.Type, _ expected: String) -> DecodingError {
        .typeMismatch(type, .init(codingPath: codingPath, debugDescription: "\(expected) should stand here"))
    }

    func decode<Result: Decodable>(_ type: Result.Type) throws -> Result {
        if let value = value as? Result { return value }
        if type == Bool.self {
            guard let result = value.bool as? Result else { throw mismatch(type, "true or false") }
            return result
        }
        if type == String.self {
            guard let result = value.string as? Result else { throw mismatch(type, "a text") }
            return result
        }
        if type == Double.self {
            guard let result = double as? Result else { throw mismatch(type, "a number") }
            return result
        }
        if type == Float.self {
            guard let result = double.map(Float.init) as? Result else { throw mismatch(type, "a number") }
            return result
        }
        if let integerType = integerTypes.first(where: { $0 == type }) {
            guard let result = integer(integerType) as? Result else { throw mismatch(type, "an integer in range") }
            return result
        }
        return try Result(from: self)
    }

    private var double: Double? {
        switch value {
        case .number(let number): number
        case .integer(let number): Double(number)
        default: nil
        }
    }

    private func integer<Number: FixedWidthInteger>(_ type: Number.Type) -> Number? {
        switch value {
        case .integer(let number): return Number(exactly: number)
        case .string(let digits):
            guard let number = Number(digits), String(number) == digits else { return nil }
            if let small = Int64(exactly: number), JSONEncoding.exactIntegers.contains(small) { return nil }
            return number
        default: return nil
        }
    }
}

/// All integers of Swift's. A cast to `any FixedWidthInteger.Type` would make the runtime search all conformances of the
/// program once for each type that is none.
private let integerTypes: [any (FixedWidthInteger & Sendable).Type] = [
    Int.self, Int64.self, Int32.self, Int16.self, Int8.self, UInt.self, UInt64.self, UInt32.self, UInt16.self,
    UInt8.self, Int128.self, UInt128.self,
]

private struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let object: JSONObject
    let codingPath: [any CodingKey]
    /// The first member of each name, for objects that are too large to be searched again and again.
    private let index: [[UInt8]: JSONValue]?

    init(object: JSONObject, codingPath: [any CodingKey]) {
        self.object = object
        self.codingPath = codingPath
        let named = object.members.count > 16 ? object.members.map { (Array($0.key.utf8), $0.value) } : nil
        index = named.map { Dictionary($0) { first, _ in first } }
    }

    var allKeys: [Key] { object.members.compactMap { Key(stringValue: $0.key) } }

    func contains(_ key: Key) -> Bool { member(key.stringValue) != nil }
    func decodeNil(forKey key: Key) throws -> Bool { try decoder(key).value == .null }
    func decode<Result: Decodable>(_ type: Result.Type, forKey key: Key) throws -> Result {
        try decoder(key).decode(type)
    }
    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { try decoder(key).container(keyedBy: type) }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try decoder(key).unkeyedContainer()
    }
    func superDecoder() throws -> any Decoder { ValueDecoder(value: member("super") ?? .null, codingPath: codingPath) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }

    private func member(_ name: String) -> JSONValue? {
        guard let index else { return object[name] }
        return index[Array(name.utf8)]
    }

    private func decoder(_ key: Key) throws -> ValueDecoder {
        guard let value = member(key.stringValue) else {
            throw DecodingError.keyNotFound(key, .init(codingPath: codingPath, debugDescription: "missing"))
        }
        return ValueDecoder(value: value, codingPath: codingPath + [key])
    }
}

private struct Unkeyed: UnkeyedDecodingContainer {
    let elements: [JSONValue]
    let codingPath: [any CodingKey]
    var currentIndex = 0
    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex >= elements.count }

    init(elements: [JSONValue], codingPath: [any CodingKey]) {
        self.elements = elements
        self.codingPath = codingPath
    }

    mutating func decodeNil() throws -> Bool {
        guard try peek().value == .null else { return false }
        currentIndex += 1
        return true
    }
    mutating func decode<Result: Decodable>(_ type: Result.Type) throws -> Result {
        let result = try peek().decode(type)
        currentIndex += 1
        return result
    }
    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        let result = try peek().container(keyedBy: type)
        currentIndex += 1
        return result
    }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let result = try peek().unkeyedContainer()
        currentIndex += 1
        return result
    }
    mutating func superDecoder() throws -> any Decoder { try peek() }

    private func peek() throws -> ValueDecoder {
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                JSONValue.self,
                .init(codingPath: codingPath, debugDescription: "the list ends at \(elements.count)")
            )
        }
        return ValueDecoder(value: elements[currentIndex], codingPath: codingPath)
    }
}

private struct Single: SingleValueDecodingContainer {
    let decoder: ValueDecoder
    var codingPath: [any CodingKey] { decoder.codingPath }

    func decodeNil() -> Bool { decoder.value == .null }
    func decode<Result: Decodable>(_ type: Result.Type) throws -> Result { try decoder.decode(type) }
}

extension JSONValue: Decodable {
    /// Takes the value itself; other decoders than ``JSONDecoding`` are refused.
    public init(from decoder: any Decoder) throws {
        guard let decoder = decoder as? ValueDecoder else {
            throw Failure(.malformed, "decode a JSON value", on: "\(type(of: decoder))", because: "not Quell's decoder")
        }
        self = decoder.value
    }
}
