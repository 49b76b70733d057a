/// Turns `Encodable` values into ``JSONValue``. Integers beyond 53 bits become decimal text, because JSON readers lose
/// them; ``JSONDecoding`` reads them back. Optionals that are `nil` are left out by synthesized conformances.
public enum JSONEncoding {
    /// The value of `subject`.
    ///
    /// - Throws: `malformed` when the type refuses to be encoded, or holds a number that is not finite.
    public static func value(of subject: some Encodable) throws(Failure) -> JSONValue {
        let encoder = ValueEncoder()
        do {
            try subject.encode(to: encoder)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.malformed, "encode as JSON", on: "\(type(of: subject))", because: "\(error)")
        }
        return encoder.node.value
    }

    /// The canonical bytes of `subject` (RFC 8785).
    ///
    /// - Throws: `malformed` when the type refuses to be encoded.
    public static func canonicalBytes(of subject: some Encodable) throws(Failure) -> [UInt8] {
        CanonicalJSON.bytes(of: try value(of: subject))
    }

    static let exactIntegers: ClosedRange<Int64> = -9_007_199_254_740_991...9_007_199_254_740_991

    /// A whole number as JSON; one beyond 53 bits is decimal text.
    public static func integer(_ number: some BinaryInteger) -> JSONValue {
        if let exact = Int64(exactly: number), exactIntegers.contains(exact) { return .integer(exact) }
        return .string(String(number))
    }
}

/// A place in the tree that is being built; a reference, so that nested encoders can fill it later.
private final class Node {
    enum Content {
        case empty
        case value(JSONValue)
        case array([Node])
        case object([(key: String, node: Node)])
    }

    var content = Content.empty
    /// Where the members of a large object are. Small ones need none, and the runtime would search its conformances for it
    /// before a freeze.
    private var places: [String: Node] = [:]
    private static let fewMembers = 16

    var value: JSONValue {
        switch content {
        case .empty: return .object(JSONObject())
        case .value(let value): return value
        case .array(let nodes): return .array(nodes.map(\.value))
        case .object(let members):
            var object = JSONObject()
            for (key, node) in members { object.append(key, node.value) }
            return .object(object)
        }
    }

    func element() -> Node {
        let node = Node()
        var nodes: [Node] = []
        if case .array(let present) = content { nodes = present }
        // Lets go of the list, so that it grows in place.
        content = .empty
        nodes.append(node)
        content = .array(nodes)
        return node
    }

    /// The place of `key`; coding a key twice fills the same place again.
    func member(_ key: String) -> Node {
        var members: [(key: String, node: Node)] = []
        if case .object(let present) = content { members = present }
        let known = members.count < Node.fewMembers ? members.first { $0.key == key }?.node : places[key]
        if let known { return known }
        content = .empty
        let node = Node()
        members.append((key, node))
        if members.count == Node.fewMembers {
            for member in members { places[member.key] = member.node }
        } else if members.count > Node.fewMembers {
            places[key] = node
        }
        content = .object(members)
        return node
    }
}

private struct ValueEncoder: Encoder {
    let node: Node
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ node: Node = Node(), at codingPath: [any CodingKey] = []) {
        self.node = node
        self.codingPath = codingPath
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .empty = node.content { node.content = .object([]) }
        return KeyedEncodingContainer(Keyed<Key>(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if case .empty = node.content { node.content = .array([]) }
        return Unkeyed(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { Single(node: node, codingPath: codingPath) }
}

extension Node {
    /// Integers are asked for by their types: `any FixedWidthInteger` would make the runtime search all conformances of
    /// the program once for each type that is none.
    fileprivate func put(_ subject: some Encodable, at path: [any CodingKey]) throws {
        switch subject {
        case let value as JSONValue: content = .value(value)
        case let value as Bool: content = .value(.bool(value))
        case let value as String: content = .value(.string(value))
        case let value as Double: content = .value(.number(try finite(value, at: path)))
        case let value as Float: content = .value(.number(try finite(Double(value), at: path)))
        case let value as Int: content = .value(JSONEncoding.integer(value))
        case let value as Int64: content = .value(JSONEncoding.integer(value))
        case let value as Int32: content = .value(JSONEncoding.integer(value))
        case let value as Int16: content = .value(JSONEncoding.integer(value))
        case let value as Int8: content = .value(JSONEncoding.integer(value))
        case let value as UInt: content = .value(JSONEncoding.integer(value))
        case let value as UInt64: content = .value(JSONEncoding.integer(value))
        case let value as UInt32: content = .value(JSONEncoding.integer(value))
        case let value as UInt16: content = .value(JSONEncoding.integer(value))
        case let value as UInt8: content = .value(JSONEncoding.integer(value))
        case let value as Int128: content = .value(JSONEncoding.integer(value))
        case let value as UInt128: content = .value(JSONEncoding.integer(value))
        default: try subject.encode(to: ValueEncoder(self, at: path))
        }
    }

    private func finite(_ number: Double, at path: [any CodingKey]) throws(Failure) -> Double {
        if number.isFinite { return number }
        let place = path.map(\.stringValue).joined(separator: ".")
        throw Failure(.malformed, "encode as JSON", on: place, because: "\(number) is no JSON number")
    }
}

private struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: Node
    let codingPath: [any CodingKey]

    func encodeNil(forKey key: Key) throws { node.member(key.stringValue).content = .value(.null) }
    func encode(_ value: some Encodable, forKey key: Key) throws {
        try node.member(key.stringValue).put(value, at: codingPath + [key])
    }
    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        ValueEncoder(node.member(key.stringValue), at: codingPath + [key]).container(keyedBy: type)
    }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        ValueEncoder(node.member(key.stringValue), at: codingPath + [key]).unkeyedContainer()
    }
    func superEncoder() -> any Encoder { ValueEncoder(node.member("super"), at: codingPath) }
    func superEncoder(forKey key: Key) -> any Encoder { ValueEncoder(node.member(key.stringValue), at: codingPath) }
}

private struct Unkeyed: UnkeyedEncodingContainer {
    let node: Node
    let codingPath: [any CodingKey]

    var count: Int {
        if case .array(let nodes) = node.content { return nodes.count }
        return 0
    }

    func encodeNil() throws { node.element().content = .value(.null) }
    func encode(_ value: some Encodable) throws { try node.element().put(value, at: codingPath) }
    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        ValueEncoder(node.element(), at: codingPath).container(keyedBy: type)
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        ValueEncoder(node.element(), at: codingPath).unkeyedContainer()
    }
    func superEncoder() -> any Encoder { ValueEncoder(node.element(), at: codingPath) }
}

private struct Single: SingleValueEncodingContainer {
    let node: Node
    let codingPath: [any CodingKey]

    func encodeNil() throws { node.content = .value(.null) }
    func encode(_ value: some Encodable) throws { try node.put(value, at: codingPath) }
}

extension JSONValue: Encodable {
    /// Writes the value itself; other encoders than ``JSONEncoding`` are refused.
    public func encode(to encoder: any Encoder) throws {
        guard let encoder = encoder as? ValueEncoder else {
            throw Failure(.malformed, "encode a JSON value", on: "\(type(of: encoder))", because: "not Quell's encoder")
        }
        encoder.node.content = .value(self)
    }
}
