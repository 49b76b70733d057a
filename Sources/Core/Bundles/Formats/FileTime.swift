public import Base

/// A time of a file as stat(2) gives it. Not an ``Base/Instant``: a session may set times beyond the years 1677 to 2262
/// with utimensat(2), and evidence keeps what was there.
public struct FileTime: Hashable, Sendable {
    /// Seconds since 1970-01-01T00:00:00Z, negative before.
    public let seconds: Int64
    /// Nanoseconds within the second, 0 to 999,999,999.
    public let nanoseconds: UInt32

    /// Takes both parts; nanoseconds beyond a second are cut to 999,999,999.
    public init(seconds: Int64, nanoseconds: UInt32 = 0) {
        self.seconds = seconds
        self.nanoseconds = min(nanoseconds, 999_999_999)
    }

    /// Takes a moment of the wall clock.
    public init(_ instant: Instant) {
        let remainder = instant.nanoseconds % 1_000_000_000
        let fraction = remainder < 0 ? remainder + 1_000_000_000 : remainder
        self.init(seconds: (instant.nanoseconds - fraction) / 1_000_000_000, nanoseconds: UInt32(fraction))
    }

    /// The moment, clamped to the years 1677 to 2262.
    public var instant: Instant { Instant(seconds: seconds, nanoseconds: Int64(nanoseconds)) }
}
