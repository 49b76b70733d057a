public import Base

/// Something that could start the session again, or kill it while it is frozen (RT4).
public struct Supervisor: Hashable, Sendable, Codable {
    /// What kind it is.
    public enum Kind: String, Sendable, Codable {
        /// A unit of the machine's systemd with `Restart=`, `WatchdogSec=` or `RuntimeMaxSec=`, or one that a timer, a
        /// socket or a path starts.
        case systemdUnit
        /// The systemd of a user or of a container, of which the session is a unit: the process itself is held.
        case systemdManager
        /// A podman container with a restart policy: its conmon starts podman when the container ends.
        case podmanPolicy
        /// A podman container with a health check that acts, run by a timer of systemd's.
        case podmanHealthCheck
        /// A container of docker with a restart policy or a health check: its containerd-shim tells dockerd when it ends,
        /// and starts the checks.
        case dockerPolicy
        /// A living parent outside the session whose business is to start things.
        case parentLoop
        /// An entry in one of cron's tables: cron starts it again by the clock.
        case cronEntry
        /// A parent that serves the whole machine, such as kubelet: it is named and never held.
        case sharedDaemon
    }
    /// What kind it is.
    public let kind: Kind
    /// The unit, the container id or the name of the process.
    public let name: BytePath
    /// What was found: the setting and where it stands.
    public let detail: String
    /// The process that would do it; `nil` when none stands for it.
    public let process: ProcessPin?
    /// The line that starts it, when it is one of cron's.
    public var entry: CronEntry?
    /// Whether the kernel says that this process is frozen, in a group out of the session's reach; of a unit, that systemd
    /// says that it restarts nothing; of cron's entry, that it is a comment.
    public var isHeld = false
    /// Why it is not held, when that was tried.
    public var reason: String?

    /// Takes what was found; nothing is held yet.
    public init(kind: Kind, name: BytePath, detail: String, process: ProcessPin?, reason: String? = nil) {
        self.kind = kind
        self.name = name
        self.detail = detail
        self.process = process
        self.reason = reason
    }
}
