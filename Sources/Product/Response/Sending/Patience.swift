import Base
import Glibc
import Synchronization

/// How long the other end of a stream is waited for: only so long for each answer, however slowly it comes; and once the work
/// is to stop, only as long as the rest takes on a slow line.
final class Patience: Sendable {
    /// How long a wait lasts before it is asked anew whether to stop, in milliseconds.
    private static let glance: Int32 = 250
    /// Bytes in a second below which the rest of a capture that was stopped is given up.
    private static let slowest: UInt64 = 64 << 10

    private let each: Duration?
    private let grace: Duration
    private let isToStop: @Sendable () -> Bool
    /// CLOCK_MONOTONIC nanoseconds after which nothing is waited for any more.
    private let end = Mutex<UInt64?>(nil)

    /// - Parameters:
    ///   - each: How long one answer is waited for; `nil`: for ever, as for a person at the end of a pipe.
    ///   - grace: How long is waited in all after a stop, besides what the bytes that still go need.
    ///   - isToStop: Asked while it is waited, from any thread.
    init(
        each: Duration? = nil,
        grace: Duration = .seconds(60),
        until isToStop: @escaping @Sendable () -> Bool = { false }
    ) {
        self.each = each
        self.grace = grace
        self.isToStop = isToStop
    }

    /// By when an answer that is waited for from now on must be there, whole.
    func limit() -> Deadline? { each.map { Deadline(after: $0) } }

    /// Takes note of bytes that went.
    func took(_ bytes: Int) {
        end.withLock { $0? += UInt64(bytes) * 1_000_000_000 / Patience.slowest }
    }

    /// Waits until a descriptor can be read or written, or has ended; `false` when that took too long.
    func isReady(_ descriptor: Int32, _ events: Int32, by limit: Deadline?) -> Bool {
        while !isOver(limit) {
            var one = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            let count = poll(&one, 1, min(Patience.glance, limit?.pollTimeout ?? Patience.glance))
            if count > 0 { return true }
            if count < 0, errno != EINTR { return false }
        }
        return false
    }

    private func isOver(_ limit: Deadline?) -> Bool {
        if let limit, limit.hasPassed { return true }
        let isToStop = isToStop()
        return end.withLock { end in
            if end == nil, isToStop { end = Deadline(after: grace).monotonicNanoseconds }
            return end.map { $0 <= Deadline.monotonicNow() } ?? false
        }
    }
}
