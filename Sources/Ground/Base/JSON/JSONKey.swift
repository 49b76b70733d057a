/// The name of a member, for types that write themselves by hand on the way to a freeze: with one key type for all of them
/// the runtime searches the conformances of the program once, and not once for each type's own (docs/benchmarks.md).
public struct JSONKey: CodingKey, Hashable, Sendable, ExpressibleByStringLiteral {
    /// The name.
    public let stringValue: String
    /// Members have names only.
    public var intValue: Int? { nil }

    /// Takes the name.
    public init(stringLiteral name: String) { stringValue = name }
    /// Takes the name.
    public init(stringValue: String) { self.stringValue = stringValue }
    /// Members have names only.
    public init?(intValue: Int) { nil }
}
