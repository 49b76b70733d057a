/// A source as the store has it.
public struct TimelineSource: Hashable, Sendable {
    /// Its number: the order at equal times.
    public let order: Int64
    /// The file.
    public let source: Source
    /// What it recorded.
    public let coverage: Coverage
}

/// An event with its place in the timeline and what reconciliation says of it.
public struct TimelineRow: Hashable, Sendable {
    /// What was found for an observation when it was compared with the tool calls.
    public enum Mark: Int64, Sendable {
        /// Not compared: no observation, or before the transcripts begin.
        case none = 0
        /// A tool call whose window it lies in names it.
        case claimed = 1
        /// No tool call whose window it lies in names it. Not a verdict: children of a named program are unclaimed too.
        case unclaimed = 2
    }

    /// The event's number in this store; not the same in the next.
    public let id: Int64
    /// The event.
    public let event: Event
    /// Where it comes from.
    public let source: TimelineSource
    /// The place within its source.
    public let sequence: Int64
    /// What was found for an observation.
    public let mark: Mark
    /// For an observation: the number of the statement that was made next.
    public let statement: Int64?
    /// For a statement: how many observations lie between the statement before and this one.
    public let seen: Int64
    /// For a statement: how many of them are unclaimed.
    public let unclaimed: Int64
}
