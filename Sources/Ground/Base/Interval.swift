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

    /// Reads both ends; ends in the wrong order are refused.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        earliest = try container.decode(Instant.self, forKey: .earliest)
        latest = try container.decode(Instant.self, forKey: .latest)
        guard earliest <= latest else {
            throw DecodingError.dataCorruptedError(
                forKey: .latest,
                in: container,
                debugDescription: "the interval ends before it begins"
            )
        }
    }

    /// A moment known exactly.
    public init(_ instant: Instant) {
        self.init(instant, instant)
    }
}
