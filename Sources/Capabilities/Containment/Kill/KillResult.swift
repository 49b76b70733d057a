public import Base

/// What a kill did.
public struct KillResult: Hashable, Sendable, Codable {
    /// How many processes were inside when it began, guests not counted.
    public var processes = 0
    /// Groups in which nothing is left.
    public var emptied: [CgroupPin] = []
    /// Processes that are still there: stuck in the kernel.
    public var remaining: [ProcessPin] = []
    /// Members that were moved aside instead (RT11).
    public var spared: [Guest] = []
    /// Processes outside that live on and belong to the session by a strong mark, or that its freeze let run in doubt.
    public var strays: [Stray] = []
    /// Processes that came up afterwards in the session's place.
    public var successors: [Successor] = []
    /// Processes that came up afterwards and may stand in its place: the same program as the same user. They are named and
    /// never acted upon.
    public var resembling: [Successor] = []
    /// What is not known, so that a successor may be missing here.
    public var unknown: [String] = []
    /// The effects that were done, in order.
    public var effects: [ContainmentEffect] = []
    /// What failed.
    public var failures: [Failure] = []

    /// Starts with nothing done.
    public init() {}

    /// Whether the session is gone, all of it, and nothing came after it.
    public var isComplete: Bool {
        remaining.isEmpty && strays.isEmpty && spared.allSatisfy { $0.doubt == nil } && successors.isEmpty
            && resembling.isEmpty && unknown.isEmpty && failures.isEmpty
    }
}

/// Something that came up in the place of a killed session.
public struct Successor: Hashable, Sendable, Codable {
    /// Which process.
    public let process: ProcessPin
    /// Its name as bytes.
    public let name: BytePath
    /// Why it is taken for one.
    public let reason: String
}
