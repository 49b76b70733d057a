/// A span of time that an event lies in: both ends belong to it. A point has equal ends.
public struct Interval: Hashable, Sendable, Codable {
    /// The earliest possible moment.
    public let earliest: Instant
    /// The latest possible moment, never before `earliest`.
    public let latest: Instant

    /// Takes both ends in any order.
    public init(_ one: Instant, _ other: Instant) {
        earliest = min(one, other)
        latest = max(one, other)
    }

    /// A moment known exactly.
    public init(_ instant: Instant) {
        self.init(instant, instant)
    }
}
