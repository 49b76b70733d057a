public import Base
import Glibc
public import Sealing

/// What a run needs to ask for approvals. Policy and trust are read when the first action comes to its turn that may need
/// one, never before a freeze.
public struct Approvals: Sendable {
    /// Reads who has to approve what, and who may.
    ///
    /// - Throws: when a file cannot be believed or read; then nothing that alters or destroys goes ahead.
    public let authority: @Sendable () throws(Failure) -> Authority
    /// The names by which this host knows who asks, such as the login name behind sudo and what `--as` says.
    public let requester: [String]
    /// Milliseconds since the machine booted, with the time it slept; setting the wall clock moves nothing.
    public let boottime: @Sendable () -> Int64

    /// Takes all parts.
    public init(
        requester: [String],
        boottime: @escaping @Sendable () -> Int64 = Approvals.kernelBoottime,
        authority: @escaping @Sendable () throws(Failure) -> Authority
    ) {
        self.authority = authority
        self.requester = requester
        self.boottime = boottime
    }

    /// Nobody has to approve anything.
    public static let none = Approvals(requester: []) { () throws(Failure) in .none }

    /// Whether there is any rule.
    func mayAsk() throws(Failure) -> Bool { try !authority().policy.rules.isEmpty }

    /// CLOCK_BOOTTIME, clock_gettime(2).
    public static let kernelBoottime: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

/// Who has to approve what, and who may.
public struct Authority: Sendable {
    /// Who has to approve what.
    public let policy: Policy
    /// Who may.
    public let trust: TrustList

    /// Takes both parts.
    public init(_ policy: Policy, _ trust: TrustList) {
        self.policy = policy
        self.trust = trust
    }

    /// Nobody has to approve anything.
    public static let none = Authority(.none, .empty)
}
