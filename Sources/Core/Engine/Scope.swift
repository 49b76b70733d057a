public import Base
import Glibc
import Synchronization

/// What every member of an action may know about the run around it: these four and nothing else. What an action needs of
/// the host comes in by its own initialiser.
public struct Scope: Sendable {
    /// The wall clock; tests pass another.
    public let clock: Clock
    /// By when the action must be done.
    public let deadline: Deadline
    /// Whether a person wants it to end.
    public let cancellation: Cancellation
    /// Where it tells how far it is.
    public let progress: Progress

    /// Takes all parts.
    public init(
        clock: Clock = .system,
        deadline: Deadline,
        cancellation: Cancellation = Cancellation(),
        progress: Progress = .silent
    ) {
        self.clock = clock
        self.deadline = deadline
        self.cancellation = cancellation
        self.progress = progress
    }

    /// Call between two pieces of work.
    ///
    /// - Throws: `cancelled` or `timedOut`, saying what was under way.
    public func check(_ attempt: String, on subject: String) throws(Failure) {
        if cancellation.isCancelled {
            throw Failure(.cancelled, attempt, on: subject, because: "a person cancelled it")
        }
        if deadline.hasPassed { throw Failure(.timedOut, attempt, on: subject, because: "the time for it is over") }
    }
}

/// The wall clock.
public struct Clock: Sendable {
    /// The present moment.
    public let now: @Sendable () -> Instant

    /// Takes the way to tell the time.
    public init(now: @escaping @Sendable () -> Instant) { self.now = now }

    /// CLOCK_REALTIME.
    public static let system = Clock(now: Instant.now)
}

/// Where an action tells how far it is; called on the action's thread, so it must be quick.
public struct Progress: Sendable {
    /// One report: what is being done, how much of it, of how much; `total` is 0 when unknown.
    public let report: @Sendable (_ phase: String, _ done: UInt64, _ total: UInt64) -> Void

    /// Takes the receiver.
    public init(report: @escaping @Sendable (_ phase: String, _ done: UInt64, _ total: UInt64) -> Void) {
        self.report = report
    }

    /// Nobody listens.
    public static let silent = Progress { _, _, _ in }
}

/// Whether a person wants a run to end: a flag to read and a descriptor to poll. Cancelling never compensates
/// containment (RT2); it only keeps new work from starting.
public final class Cancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    /// One end of a socket pair that becomes readable when cancelled, for poll(2); never read from it. -1 when the
    /// process has no descriptor left, and then only the flag tells.
    public let descriptor: Int32
    private let sender: Int32

    /// Not cancelled.
    public init() {
        var ends: [Int32] = [-1, -1]
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        if socketpair(AF_UNIX, Int32(type), 0, &ends) != 0 { ends = [-1, -1] }
        descriptor = ends[0]
        sender = ends[1]
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        if sender >= 0 { close(sender) }
    }

    /// Whether it was cancelled.
    public var isCancelled: Bool { flag.load(ordering: .acquiring) }

    /// Sleeps until it is cancelled, at once when it was before, or until the deadline. Gives whether it is cancelled.
    public func wait(until deadline: Deadline) -> Bool {
        while !isCancelled, !deadline.hasPassed {
            var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            // Without a descriptor, which poll(2) leaves out, a look at the flag every fifth of a second.
            _ = poll(&watched, 1, descriptor < 0 ? min(200, deadline.pollTimeout) : deadline.pollTimeout)
        }
        return isCancelled
    }

    /// Cancels; safe in a signal handler and more than once.
    public func cancel() {
        flag.store(true, ordering: .releasing)
        var byte: UInt8 = 1
        if sender >= 0 { _ = write(sender, &byte, 1) }
    }
}
