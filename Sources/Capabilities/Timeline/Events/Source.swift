public import Base

/// Where events come from: one file of the evidence.
public struct Source: Hashable, Sendable {
    /// What sort of file it is. The order of the cases is the order of sources at equal times.
    public enum Kind: Int64, CaseIterable, Sendable {
        /// A session's own transcript.
        case transcript = 1
        /// The processes that were alive at the capture.
        case processes
        /// What the file system knew of the session's files at the capture.
        case files
        /// A log of the host or of a service.
        case log
        /// Quell's journal.
        case journal
    }

    /// What sort of file it is.
    public let kind: Kind
    /// Where it lies in the bundle: a payload name such as `data/processes.jsonl`.
    public let member: String
    /// The file within an archived root, when the member is an archive. The session chose it.
    public let path: BytePath?

    /// Takes all parts.
    public init(_ kind: Kind, member: String, path: BytePath? = nil) {
        self.kind = kind
        self.member = member
        self.path = path
    }

    /// For people: the member, and the path within it made safe for a terminal.
    public var label: String {
        path.map { "\(member): \(Escaped.terminal($0))" } ?? member
    }
}

/// What a source recorded, and of when. Outside of it nothing is known: silence is not a finding.
public struct Coverage: Hashable, Sendable {
    /// How a source sees time.
    public enum Extent: Int64, Sendable {
        /// It records as things happen, between its first and its last record, as far as its writer chose to.
        case continuous = 1
        /// It was taken at one moment: what had come and gone before left nothing.
        case snapshot
        /// It was not read; ``Coverage/remark`` says why.
        case none
    }

    /// How it sees time.
    public var extent: Extent
    /// The earliest time that it records.
    public var earliest: Instant?
    /// The latest time that it records.
    public var latest: Instant?
    /// Records read.
    public var records: Int64 = 0
    /// Events made of them.
    public var events: Int64 = 0
    /// Records that could not be read.
    public var unreadable: Int64 = 0
    /// Records left out because they repeat an earlier one byte by byte.
    public var repeated: Int64 = 0
    /// Records of types that this version does not know, by type. The session chose the names.
    public var unknownTypes: [String: Int64] = [:]
    /// Whether the source was read to its end.
    public var isComplete = true
    /// What else has to be said, in Quell's words.
    public var remark: String?

    /// Nothing read yet.
    public init(_ extent: Extent) { self.extent = extent }
}
