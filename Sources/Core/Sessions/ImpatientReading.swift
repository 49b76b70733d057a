internal import Base
internal import Glibc
internal import Kernel
internal import Synchronization

/// Reads something of many processes that one of them can hold up: arguments on a page that it serves itself (FUSE,
/// userfaultfd), a file on a filesystem of its own. So it is read on a thread of its own, which is left behind when it
/// hangs, and a new one goes on with the next process (RT7).
final class ImpatientReading<Value: Sendable>: Sendable {
    /// How many readers are left behind at most; the rest of the processes then go unread.
    private let mostLost = 8

    /// How long one process may hold a reader up, in milliseconds.
    private let patience: Int32
    private let body: @Sendable (ProcessPin) -> Value
    private let progress = Mutex(Progress())

    private struct Progress {
        var pins: [ProcessPin] = []
        var next = 0
        /// Which reader may go on; those left behind have a lower number.
        var reader = 0
        var found: [ProcessPin: Value] = [:]
    }

    init(patience: Int32 = 200, _ body: @escaping @Sendable (ProcessPin) -> Value) {
        self.patience = patience
        self.body = body
    }

    /// What could be read; a process that is not among it held a reader up, or there was no time left for it.
    func read(_ pins: [ProcessPin], by deadline: Deadline) -> [ProcessPin: Value] {
        progress.withLock { $0.pins = pins }
        for _ in 0...mostLost {
            if deadline.hasPassed || runReader(until: deadline) { break }
        }
        return progress.withLock { progress in
            progress.reader += 1
            return progress.found
        }
    }

    /// Starts a reader and waits until it is through.
    ///
    /// - Returns: `false` when it hangs in one process; it may read no other one then.
    private func runReader(until deadline: Deadline) -> Bool {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return true }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let done = Descriptor(adopting: ends[0])
        let number = progress.withLock { $0.reader }
        let start = Start(signal: ends[1]) { [self] in readOn(as: number) }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(start)
        let error = pthread_create(&thread, nil, Start.run, context.toOpaque())
        guard error == 0 else {
            context.release()
            close(ends[1])
            return true
        }
        pthread_detach(thread)
        var before = -1
        while !isReadable(done, within: min(patience, deadline.pollTimeout)) {
            let now = progress.withLock { $0.next }
            guard now == before || deadline.hasPassed else {
                before = now
                continue
            }
            progress.withLock { $0.reader += 1 }
            return false
        }
        return true
    }

    private func isReadable(_ descriptor: borrowing Descriptor, within milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) > 0
    }

    /// Runs on the reader's thread.
    private func readOn(as number: Int) {
        while let pin = take(as: number) {
            let value = body(pin)
            progress.withLock { progress in
                if progress.reader == number { progress.found[pin] = value }
            }
        }
    }

    private func take(as number: Int) -> ProcessPin? {
        progress.withLock { progress in
            guard progress.reader == number, progress.next < progress.pins.count else { return nil }
            defer { progress.next += 1 }
            return progress.pins[progress.next]
        }
    }
}

/// What a reader's thread is given.
private final class Start: Sendable {
    let signal: Int32
    let body: @Sendable () -> Void

    init(signal: Int32, body: @escaping @Sendable () -> Void) {
        self.signal = signal
        self.body = body
    }

    /// Closing the writing end of the pipe tells that the reader is through. Written by the thread that owns it.
    static let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
        guard let context else { return nil }
        let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
        start.body()
        close(start.signal)
        return nil
    }
}
