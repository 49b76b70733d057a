import Glibc

/// A moment on the monotonic clock by which something must be done. Deadlines are passed down; nothing wraps a timer
/// around work. Source: CLOCK_MONOTONIC, clock_gettime(2); it does not run while the machine is suspended.
public struct Deadline: Hashable, Comparable, Sendable {
    /// Nanoseconds on CLOCK_MONOTONIC.
    public let monotonicNanoseconds: UInt64

    /// A deadline `duration` from now; a negative duration has already passed.
    public init(after duration: Duration) {
        let now = Deadline.monotonicNow()
        let span = duration.wholeNanoseconds
        monotonicNanoseconds = span < 0 ? now : now + UInt64(span)
    }

    /// The monotonic clock now, in nanoseconds.
    public static func monotonicNow() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Whether the moment is over.
    public var hasPassed: Bool { Deadline.monotonicNow() >= monotonicNanoseconds }

    /// What is left; zero when the moment is over.
    public var remaining: Duration {
        let now = Deadline.monotonicNow()
        return now >= monotonicNanoseconds ? .zero : .nanoseconds(Int64(monotonicNanoseconds - now))
    }

    /// What is left in whole milliseconds, rounded up, for poll(2).
    public var pollTimeout: Int32 {
        Int32(clamping: remaining.wholeNanoseconds.addingClamped(999_999) / 1_000_000)
    }

    /// Orders by time.
    public static func < (left: Deadline, right: Deadline) -> Bool {
        left.monotonicNanoseconds < right.monotonicNanoseconds
    }
}
