/// Who could have written a record: the ones who could, not the one who did (RT25). It follows from where the bytes
/// lay, never from what they say.
public struct Writers: OptionSet, Hashable, Sendable {
    /// The bits as the store keeps them.
    public let rawValue: Int64

    /// Takes stored bits.
    public init(rawValue: Int64) { self.rawValue = rawValue }

    /// The session itself: everything in its workspace, transcripts and process memory.
    public static let session = Writers(rawValue: 1)
    /// Another user or daemon of the host.
    public static let otherUser = Writers(rawValue: 2)
    /// The kernel.
    public static let kernel = Writers(rawValue: 4)
    /// A service outside the host, such as a model provider.
    public static let provider = Writers(rawValue: 8)
    /// Quell.
    public static let quell = Writers(rawValue: 16)

    /// The names, in a fixed order.
    public var names: [String] {
        let all: [(Writers, String)] = [
            (.session, "session"), (.otherUser, "otherUser"), (.kernel, "kernel"), (.provider, "provider"),
            (.quell, "quell"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}
