public import Base
import Kernel

/// How long a cut was meant to stand. It only reminds: nothing ever ends a cut but `quell release` (RT2).
public struct CutLease: Hashable, Sendable, Codable {
    /// How long it was given for, in seconds.
    public let seconds: Int64
    /// When it ends, on CLOCK_BOOTTIME in milliseconds: setting the wall clock moves nothing.
    public let endsAtBootMilliseconds: Int64

    /// A lease from now on.
    public init(for duration: Duration) {
        seconds = duration.components.seconds
        endsAtBootMilliseconds = CutLease.now() + Int64(duration.inMilliseconds)
    }

    /// The milliseconds since this machine was started, sleep included.
    static func now() -> Int64 { Int64(clamping: BootClock.nanosecondsSinceBoot() / 1_000_000) }

    /// How long until its end; negative when it is overdue.
    public var remaining: Duration { .milliseconds(endsAtBootMilliseconds - CutLease.now()) }

    /// Whether it has ended.
    public var isOverdue: Bool { remaining <= .zero }

    /// When it ends, on the wall clock as it goes now.
    public var endsAt: Instant { Instant.now().advanced(by: remaining) }
}
