internal import Base
internal import Glibc

extension Descriptor {
    /// Waits until one of `events` (POLLIN, POLLOUT) or an error is there.
    ///
    /// - Returns: `false` when the deadline passed first.
    func wait(for events: Int32, until deadline: Deadline) -> Bool {
        while true {
            var entry = pollfd(fd: number, events: Int16(events), revents: 0)
            let ready = poll(&entry, 1, deadline.pollTimeout)
            if ready > 0 { return true }
            if ready == 0, deadline.hasPassed { return false }
            // A closed or invalid descriptor would be our own mistake: let the next call on it report it.
            if ready < 0, errno != EINTR { return true }
        }
    }
}
