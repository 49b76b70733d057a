internal import Glibc

/// A thread of the operating system, made by us and ended by us: blocking work never runs on a pool.
package struct OwnedThread: ~Copyable {
    private let handle: pthread_t

    /// Starts `body` on a thread of its own.
    ///
    /// - Throws: `system` when the host allows no more threads.
    package init(_ body: @escaping @Sendable () -> Void) throws(Failure) {
        var handle = pthread_t()
        let work = Unmanaged.passRetained(Work(body))
        let number = pthread_create(&handle, nil, { Work.run($0) }, work.toOpaque())
        guard number == 0 else {
            work.release()
            throw Failure(errno: number, "start a thread", on: BytePath("quell"))
        }
        self.handle = handle
    }

    /// Waits for its end.
    package consuming func join() { pthread_join(handle, nil) }

    /// Schedules the calling thread as what contains is: the priority of the process does not reach it, because it is reset
    /// in new threads. On Linux setpriority(2) with 0 means the calling thread. Without the right to it the thread goes on
    /// as it is.
    package static func raisePriority() {
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -20)
    }

    /// Lets it go: it ends by itself or with the process.
    package consuming func detach() { pthread_detach(handle) }
}

private final class Work {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    static func run(_ pointer: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let pointer else { return nil }
        Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().body()
        return nil
    }
}
