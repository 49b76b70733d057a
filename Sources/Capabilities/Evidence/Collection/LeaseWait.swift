import Base
import Glibc

/// Waits for files that somebody holds a lease on. What is leased is queued; at the end all of one item wait together,
/// once, for the time after which the kernel breaks a lease (/proc/sys/fs/lease-break-time, fcntl(2)), each counted from
/// its first try, and never longer than the capture may last (RT30).
struct LeaseWait {
    /// How long after its first try a file is waited for.
    let patience: Duration
    let meter: CaptureMeter

    /// What `attempt` gives once the lease is gone; `planned` as failed when it is not in time.
    ///
    /// - Parameter first: When the file was tried first, CLOCK_MONOTONIC nanoseconds.
    /// - Throws: what `attempt` throws, but EAGAIN, by which it says that the lease still holds.
    func retry(
        since first: UInt64,
        _ planned: CollectionItem,
        _ attempt: () throws(Failure) -> CollectionItem
    ) throws(Failure) -> CollectionItem {
        let until = first &+ UInt64(max(0, patience.wholeNanoseconds))
        while true {
            do throws(Failure) {
                return try attempt()
            } catch {
                guard error.errno == EAGAIN else { throw error }
                if Deadline.monotonicNow() < until, !meter.mustStop() {
                    poll(nil, 0, 50)
                    continue
                }
                var item = planned.failed(error)
                item.reason = "somebody holds a lease on it: \(error.reason)"
                return item
            }
        }
    }
}
