public import Base

/// What a reader met in one file. The counts add up: `recordBytes + blankBytes` is the file's size.
public struct ReadSummary: Hashable, Sendable {
    /// How many names ``unknownTypes`` keeps at most; the rest is counted under `(others)`.
    public static let distinctUnknownTypes = 64

    /// The bytes read.
    public var bytes: Int64 = 0
    /// The lines, blank ones among them.
    public var lines: Int64 = 0
    /// The records, unreadable and repeated ones among them.
    public var records: Int64 = 0
    /// The records that could not be read.
    public var unreadable: Int64 = 0
    /// Lines that repeat an earlier line of the same file byte by byte and carry its identifier, as compaction writes
    /// them. They were counted and not delivered again.
    public var repeated: Int64 = 0
    /// Tool calls and other blocks of a line beyond the limit of blocks; counted, not delivered.
    public var blocksLeftOut: Int64 = 0
    /// The bytes that belong to a record.
    public var recordBytes: Int64 = 0
    /// White space and NUL between the records.
    public var blankBytes: Int64 = 0
    /// The NUL bytes among them: the trace of a crash or of two writers.
    public var nulBytes: Int64 = 0
    /// Records of unknown type, by type.
    public var unknownTypes: [String: Int64] = [:]
    /// The time of the earliest record that has one.
    public var earliest: Instant?
    /// The time of the latest record that has one.
    public var latest: Instant?
    /// Whether every byte was read. `false` when the reader's process ended before its end.
    public var isComplete = true

    /// Nothing read yet.
    public init() {}

    mutating func note(unknownType type: String) {
        let isKept = unknownTypes[type] != nil || unknownTypes.count < ReadSummary.distinctUnknownTypes
        unknownTypes[isKept ? type : "(others)", default: 0] += 1
    }

    mutating func note(time: RecordTime?) {
        guard let interval = time?.interval else { return }
        earliest = min(earliest ?? interval.earliest, interval.earliest)
        latest = max(latest ?? interval.latest, interval.latest)
    }
}
