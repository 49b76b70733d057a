import Base
import Glibc
import Synchronization

/// Runs reads that may hang, because a page or a file is served by a process that is frozen (RT7), each on a thread of
/// its own that is left behind when it does not answer in time. Threads that are left behind end with Quell.
final class ImpatientReader {
    /// How many threads may be left behind before nothing more is tried.
    static let mostLost = 32

    private let patience: Duration
    private(set) var lost = 0

    init(patience: Duration = .seconds(2)) { self.patience = patience }

    /// What `body` gives.
    ///
    /// - Throws: `timedOut` when it did not answer in time; `system` when no thread can be made.
    func read<Answer: Sendable>(
        _ what: String,
        on subject: String,
        _ body: @escaping @Sendable () -> Answer
    ) throws(Failure) -> Answer {
        guard lost < ImpatientReader.mostLost else {
            throw Failure(.timedOut, what, on: subject, because: "\(lost) reads before it hang: not tried")
        }
        let errand = Errand(body)
        try start(errand)
        guard let answer = errand.wait(until: Deadline(after: patience)) else {
            lost += 1
            throw Failure(
                .timedOut,
                what,
                on: subject,
                because: "no answer in \(patience): something it needs is served by a process that does not answer"
            )
        }
        return answer
    }

    private func start(_ errand: Errand<some Sendable>) throws(Failure) {
        let work: @Sendable () -> Void = { errand.run() }
        var thread = pthread_t()
        let boxed = Unmanaged.passRetained(Work(work))
        let status = pthread_create(
            &thread,
            nil,
            { raw in
                guard let raw else { return nil }
                Unmanaged<Work>.fromOpaque(raw).takeRetainedValue().body()
                return nil
            },
            boxed.toOpaque()
        )
        guard status == 0 else {
            boxed.release()
            throw Failure(errno: status, "start a thread", on: BytePath("reader"))
        }
        pthread_detach(thread)
    }
}

private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// One body on its way to another thread, and its answer on the way back.
private final class Errand<Answer: Sendable>: Sendable {
    private let body: @Sendable () -> Answer
    private let answer = Mutex<Answer?>(nil)
    private let bell = Bell()

    init(_ body: @escaping @Sendable () -> Answer) { self.body = body }

    func run() {
        let found = body()
        answer.withLock { $0 = found }
        bell.ring()
    }

    func wait(until deadline: Deadline) -> Answer? {
        bell.wait(until: deadline)
        return answer.withLock { $0 }
    }
}

/// A bell that rings once, on the monotonic clock (pthread_condattr_setclock(3)).
private final class Bell: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var hasRung = false

    init() {
        pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(lock)
        condition.deallocate()
        lock.deallocate()
    }

    func ring() {
        pthread_mutex_lock(lock)
        hasRung = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(lock)
    }

    func wait(until deadline: Deadline) {
        var time = timespec(
            tv_sec: Int(deadline.monotonicNanoseconds / 1_000_000_000),
            tv_nsec: Int(deadline.monotonicNanoseconds % 1_000_000_000)
        )
        pthread_mutex_lock(lock)
        while !hasRung {
            if pthread_cond_timedwait(condition, lock, &time) == ETIMEDOUT { break }
        }
        pthread_mutex_unlock(lock)
    }
}
