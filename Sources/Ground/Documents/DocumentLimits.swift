/// What a document may cost. A document over a limit is refused with the place where it went over.
public struct DocumentLimits: Hashable, Sendable {
    /// The largest size in bytes.
    public let bytes: Int
    /// The deepest nesting; a scalar at the top has depth 1.
    public let depth: Int
    /// The most nodes, keys not counted.
    public let nodes: Int

    /// Takes all limits.
    public init(bytes: Int, depth: Int, nodes: Int) {
        self.bytes = bytes
        self.depth = depth
        self.nodes = nodes
    }

    /// For configuration that a person wrote: 1 MiB, 32 levels, 20,000 nodes.
    public static let standard = DocumentLimits(bytes: 1 << 20, depth: 32, nodes: 20_000)
}
