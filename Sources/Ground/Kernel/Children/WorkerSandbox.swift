public import Base
internal import CLinux

/// The cage of `quell worker`, which parses what a session wrote. Nothing inside can open, connect, start or signal
/// anything: it reads descriptor 0, writes descriptors 1 and 2, and ends.
public enum WorkerSandbox {
    /// The unprivileged user and group, `nobody`.
    public static let userID: UInt32 = 65_534

    /// What a worker may use at most.
    public struct Limits: Sendable {
        /// Address space in bytes (RLIMIT_AS).
        public var addressSpace: UInt64 = 1 << 30
        /// How far a file may grow in bytes (RLIMIT_FSIZE); pipes are not files. 0 allows no growth.
        public var fileSize: UInt64 = 0
        /// Processor time in seconds (RLIMIT_CPU).
        public var cpuSeconds: UInt64 = 600

        /// The defaults: 1 GiB, no file growth, 10 minutes.
        public init() {}
    }

    private static let steps = [
        "close the other descriptors", "drop the groups", "change the group", "change the user",
        "forbid new privileges",
        "forbid dumps", "set the limits", "install the system call filter",
    ]

    /// Gives everything up, for good: descriptors above 2, groups, user and group (when root), new privileges, dumps,
    /// resources, and all system calls but those of reading, writing, memory and time. Any other call ends the process
    /// with SIGSYS. Must be called before any thread is started.
    ///
    /// - Throws: `system` naming the step; the process must then exit, for it may be half way.
    public static func enter(_ limits: Limits = Limits()) throws(Failure) {
        var bounds = quell_worker_limits(
            address_space: limits.addressSpace,
            file_size: limits.fileSize,
            cpu_seconds: limits.cpuSeconds
        )
        var step: Int32 = 0
        let result = quell_worker_enter(userID, &bounds, &step)
        guard result != 0 else { return }
        let name = steps.indices.contains(Int(step) - 1) ? steps[Int(step) - 1] : "begin"
        throw Failure(errno: -result, name, on: BytePath("the worker"))
    }
}
