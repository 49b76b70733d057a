public import Base

/// What is to be contained: a session that was resolved once, to pins (RT35).
public struct Subject: Hashable, Sendable, Codable {
    /// The session's own cgroups and its leader. Without cgroups, Quell makes one for it.
    public let pin: SessionPin
    /// A user id that the inventory calls this agent's own: every process of it belongs to the session.
    public let dedicatedUser: UInt32?
    /// Processes that a person named with `--include`: held like strong strays.
    public let included: [ProcessPin]

    /// Takes all parts.
    public init(pin: SessionPin, dedicatedUser: UInt32? = nil, included: [ProcessPin] = []) {
        self.pin = pin
        self.dedicatedUser = dedicatedUser
        self.included = included
    }
}

/// How effects become real: called with the primitive effects of one batch and a function that does them. It records
/// the intents first and the outcomes after; when it throws before acting, nothing was done. Containment acts in no
/// other way.
public typealias Apply = (
    _ effects: [ContainmentEffect], _ act: () throws(Failure) -> Void
) throws(Failure) -> Void

/// The same for a batch of which each effect may go wrong by itself: `act` does all it can and gives those that it could
/// not do, with the reason, so that the record says of each what became of it.
public typealias ApplyEach = (
    _ effects: [ContainmentEffect], _ act: () throws(Failure) -> [ContainmentEffect: Failure]
) throws(Failure) -> Void

/// What a freeze may do and how long it waits.
public struct FreezePolicy: Hashable, Sendable, Codable {
    /// Also attach the reversible network drop.
    public var cut: Bool
    /// Also hold what could start the session again or kill it (RT4).
    public var holdRestart: Bool
    /// Also hold the processes outside that are joined to it by pipe, unix socket or a connection on this machine.
    public var withPeers: Bool
    /// Why a slice, or a group that holds sshd, journald or an engine, may be frozen; `nil` refuses these.
    public var broad: String?
    /// How long to wait for the kernel to say frozen, in milliseconds. The request stays when it passes.
    public var patienceMilliseconds: Int
    /// How long to look for strays until two scans agree, in milliseconds.
    public var huntMilliseconds: Int
    /// How long to look for who is joined to it, what it serves and which locks it holds, after the proof, in
    /// milliseconds; 0 does not look.
    public var lookMilliseconds: Int
    /// The monitor by which a QEMU is asked to pause its machine, too; `nil` asks nobody.
    public var monitor: BytePath?
    /// Where unit files and container stores are looked for; `/` but for tests.
    public var root: BytePath

    /// Takes all parts; the defaults are those of `quell freeze`.
    public init(
        cut: Bool = true,
        holdRestart: Bool = true,
        withPeers: Bool = false,
        broad: String? = nil,
        patienceMilliseconds: Int = 2000,
        huntMilliseconds: Int = 10_000,
        lookMilliseconds: Int = 250,
        monitor: BytePath? = nil,
        root: BytePath = BytePath("/")
    ) {
        self.cut = cut
        self.holdRestart = holdRestart
        self.withPeers = withPeers
        self.broad = broad
        self.patienceMilliseconds = patienceMilliseconds
        self.huntMilliseconds = huntMilliseconds
        self.lookMilliseconds = lookMilliseconds
        self.monitor = monitor
        self.root = root
    }
}
