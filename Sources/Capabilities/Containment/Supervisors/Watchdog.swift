public import Base
internal import Kernel

/// The watchdog that systemd has for a running service: it kills the service when that stays silent, as a frozen one does.
/// The service sets it by a message of its own (`WATCHDOG_USEC=`), and root may send that on behalf of it. Sources:
/// sd_notify(3), sd_pid_notify(3).
public struct Watchdog: Hashable, Sendable, Codable {
    /// The service.
    public let unit: String
    /// How long it may stay silent, as it was before.
    public let microseconds: UInt64
    /// The main process of the service.
    public let process: ProcessPin
    /// Where the manager listens.
    public let socket: BytePath
    /// The manager's program, which is asked whether it is so.
    public let systemctl: BytePath

    /// Turns it off.
    func quiet(on host: Host) throws(Failure) { try set(0, on: host) }

    /// Turns it on again; the service has the whole span from now.
    func wake(on host: Host) throws(Failure) { try set(microseconds, on: host) }

    /// By the manager's word.
    func isQuiet() throws(Failure) -> Bool { try !SystemdManager(systemctl).settings(of: unit).isWatched }

    private func set(_ span: UInt64, on host: Host) throws(Failure) {
        try NotifySocket.send("WATCHDOG_USEC=\(span)", as: process, to: socket, on: host)
    }
}
