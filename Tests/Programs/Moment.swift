import Glibc

/// A moment on CLOCK_MONOTONIC until which a test waits.
public struct Moment: Sendable {
    private let nanoseconds: UInt64

    /// `duration` from now.
    public init(after duration: Duration) {
        let parts = duration.components
        let span = max(0, parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000)
        nanoseconds = Moment.now() + UInt64(span)
    }

    /// CLOCK_MONOTONIC now, in nanoseconds.
    public static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// What is left in whole milliseconds, rounded up, for poll(2); zero when it is over.
    public var pollTimeout: Int32 {
        let now = Moment.now()
        guard nanoseconds > now else { return 0 }
        return Int32(clamping: (nanoseconds - now + 999_999) / 1_000_000)
    }

    /// Whether the moment is over.
    public var isOver: Bool { Moment.now() >= nanoseconds }
}

/// Looks every millisecond until `condition` holds, for things of the kernel that tell nobody when they change.
/// Gives false when it did not hold within `limit`.
public func eventually(within limit: Duration = .seconds(5), _ condition: () throws -> Bool) rethrows -> Bool {
    let end = Moment(after: limit)
    while true {
        if try condition() { return true }
        if end.isOver { return false }
        poll(nil, 0, 1)
    }
}
