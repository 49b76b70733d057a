internal import Base
internal import Glibc
internal import Kernel
internal import Synchronization

/// Reads the arguments of many processes. A process can lay its arguments on a page that it serves itself (FUSE,
/// userfaultfd), and whoever reads them then waits for it: so they are read on a thread of their own, which is left behind
/// when it hangs, and a new one goes on with the next process (RT7).
final class ArgumentReading: Sendable {
    /// How long one process may hold a reader up, in milliseconds.
    private static let patience: Int32 = 200
    /// How many readers are left behind at most; the rest of the processes then go unread.
    private static let mostLost = 8

    private let host: Host
    private let progress = Mutex(Progress())

    private struct Progress {
        var pins: [ProcessPin] = []
        var next = 0
        /// Which reader may go on; those left behind have a lower number.
        var reader = 0
        var found: [ProcessPin: [BytePath]] = [:]
    }

    init(_ host: Host) { self.host = host }

    /// The arguments of those that could be read; an ended process has none, which is not told from an empty list.
    func read(_ pins: [ProcessPin], by deadline: Deadline) -> [ProcessPin: [BytePath]] {
        progress.withLock { $0.pins = pins }
        for _ in 0...Self.mostLost {
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
        let done = Descriptor(adopting: ends[0])
        let start = Start(reading: self, number: progress.withLock { $0.reader }, signal: ends[1])
        var thread = pthread_t()
        let context = Unmanaged.passRetained(start)
        let error = pthread_create(&thread, nil, Start.run, context.toOpaque())
        guard error == 0 else {
            context.release()
            return true
        }
        pthread_detach(thread)
        var before = -1
        while !isReadable(done, within: min(Self.patience, deadline.pollTimeout)) {
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
    fileprivate func readOn(as number: Int) {
        while let pin = take(as: number) {
            let arguments = arguments(of: pin)
            progress.withLock { progress in
                if progress.reader == number { progress.found[pin] = arguments }
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

    private func arguments(of pin: ProcessPin) -> [BytePath] {
        do throws(Failure) { return try ProcessDirectory(pin, on: host).arguments(limit: 65_536) } catch { return [] }
    }
}

/// What a reader's thread is given.
private final class Start: Sendable {
    let reading: ArgumentReading
    let number: Int
    let signal: Int32

    init(reading: ArgumentReading, number: Int, signal: Int32) {
        self.reading = reading
        self.number = number
        self.signal = signal
    }

    /// Closing the writing end of the pipe tells that the reader is through. Written by the thread that owns it.
    static let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
        guard let context else { return nil }
        let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
        start.reading.readOn(as: start.number)
        close(start.signal)
        return nil
    }
}
