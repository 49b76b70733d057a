public import Base
internal import CLinux

/// The socket on which a service manager hears from its services. Source: sd_pid_notify(3): who has the privilege may
/// send on behalf of another process.
public enum NotifySocket {
    /// Sends one message, such as `WATCHDOG_USEC=0`, as that process; waits for nothing, and no answer comes.
    ///
    /// - Throws: `notFound` when the process has ended or nobody has the socket, `notPermitted` without CAP_SYS_ADMIN,
    ///   `system` with the errno of sendmsg(2) else; EAGAIN means that the manager does not read.
    public static func send(
        _ message: String,
        as process: ProcessPin,
        to path: BytePath,
        on host: Host
    ) throws(Failure) {
        // While the descriptor lives, the number is nobody else's.
        let held = try PidFD(process, on: host)
        let bytes = Array(message.utf8)
        let result = path.bytes.withUnsafeBufferPointer { path in
            quell_unix_send_as(path.baseAddress, path.count, process.pid, bytes, bytes.count)
        }
        _ = try held.hasExited()
        guard result == 0 else { throw Failure(errno: -result, "tell the service manager", on: path) }
    }
}
