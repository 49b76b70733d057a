internal import Glibc

/// A counting semaphore of the threads of this process (sem_init(3)).
package final class Semaphore: @unchecked Sendable {
    private let raw = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    /// Starts at `count`.
    package init(_ count: Int) { sem_init(raw, 0, UInt32(count)) }

    deinit {
        sem_destroy(raw)
        raw.deallocate()
    }

    /// Counts up, and wakes one who waits.
    package func post() { sem_post(raw) }

    /// Waits until it is above 0, and counts down.
    package func wait() { while sem_wait(raw) != 0 && errno == EINTR {} }

    /// Whether it was posted and not waited for.
    package var isRaised: Bool {
        var value: Int32 = 0
        sem_getvalue(raw, &value)
        return value > 0
    }

    /// `false` when nobody posted in time, to the second; sem_timedwait(3) counts on the wall clock.
    package func wait(_ patience: Duration) -> Bool {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        time.tv_sec += Int(patience.components.seconds)
        while sem_timedwait(raw, &time) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }
}
