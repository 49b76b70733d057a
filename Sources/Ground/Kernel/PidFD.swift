public import Base
internal import CLinux
internal import Glibc

/// A process held by pidfd: what is done through it can never reach another one. Source: pidfd_open(2).
public struct PidFD: ~Copyable, Sendable {
    /// Which process it is.
    public let pin: ProcessPin
    private let descriptor: Descriptor
    var handle: Int32 { descriptor.number }

    /// Opens the process and then checks its start time, so that a reused pid is ``Base/Failure/Code/changed``.
    public init(_ pin: ProcessPin, on host: Host) throws(Failure) {
        descriptor = try PidFD.open(pin, on: host)
        self.pin = pin
    }

    private static func open(_ pin: ProcessPin, on host: Host) throws(Failure) -> Descriptor {
        let opened = quell_pidfd_open(pin.pid)
        guard opened >= 0 else { throw Failure(errno: errno, "hold process \(pin.pid)", on: BytePath(String(pin.pid))) }
        let held = Descriptor(adopting: opened)
        _ = try ProcessDirectory(pin, on: host)
        return held
    }

    /// Sends a signal. A process that has ended already is ``Base/Failure/Code/notFound``.
    public func send(_ signal: Int32) throws(Failure) {
        guard quell_pidfd_send_signal(descriptor.number, signal) == 0 else {
            throw Failure(errno: errno, "signal process \(pin.pid)", on: BytePath(String(pin.pid)))
        }
    }

    /// Waits until the process has ended; `false` when the deadline passed first, which is not an error.
    public func waitForExit(until deadline: Deadline) throws(Failure) -> Bool {
        var watched = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        while true {
            let ready = poll(&watched, 1, deadline.pollTimeout)
            if ready > 0 { return true }
            if ready == 0 { return false }
            guard errno == EINTR else {
                throw Failure(errno: errno, "wait for process \(pin.pid)", on: BytePath(String(pin.pid)))
            }
        }
    }

    /// Whether the process has ended.
    public func hasExited() throws(Failure) -> Bool { try waitForExit(until: Deadline(after: .zero)) }
}
