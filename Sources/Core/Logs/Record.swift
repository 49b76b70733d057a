public import Base

/// One thing that a log says: a line of it, or one block of a line when the line holds several (an assistant message
/// with text and two tool calls is three records). A record holds bounded copies only; the bytes stay where they are
/// and are named by `offset` and `length`.
///
/// Everything in it is the writer's word. Who could have written it is not in the content: it follows from where the
/// file lay (RT25), so it is added by whoever knows that.
public struct Record: Hashable, Sendable {
    /// What sort of record it is, by the format's own classification.
    public enum Kind: String, CaseIterable, Sendable {
        /// Text given to the agent: typed by a person, or inserted by a program.
        case user
        /// Text that the agent wrote.
        case assistant
        /// The agent's reasoning.
        case thinking
        /// A request of the agent to run a tool.
        case toolUse = "tool-use"
        /// What was given back to the agent for a tool call.
        case toolResult = "tool-result"
        /// A note of the runtime to itself, the agent or the user.
        case system
        /// A title or summary of a conversation.
        case summary
        /// Bookkeeping about backups of edited files.
        case snapshot
        /// A prompt that was queued or taken from the queue.
        case queueOperation = "queue-operation"
        /// A message about the progress of a tool or hook.
        case progress
        /// Context that the runtime adds for the model.
        case attachment
        /// Mode, title, link and other state of the runtime.
        case state
        /// What a sub-agent's side file says about it.
        case agent
        /// One line of a plain log.
        case line
        /// A well-formed record of a type that this version does not know.
        case unknown
        /// Bytes that could not be read as a record; `reason` says why.
        case unreadable
    }

    /// A bounded copy of a text.
    public struct Excerpt: Hashable, Sendable {
        /// The beginning of the text, cut at a scalar.
        public let text: String
        /// How many UTF-8 bytes the whole text has.
        public let totalBytes: Int64

        /// Whether something was cut off.
        public var isCut: Bool { totalBytes > Int64(text.utf8.count) }
    }

    /// A tool call as the log tells it.
    public struct Tool: Hashable, Sendable {
        /// The tool's name; for a result empty, because results name only the call.
        public var name = ""
        /// The identifier that joins call and result within one file.
        public var callID: String?
        /// The shell command asked for, when the tool takes one.
        public var command: String?
        /// The file asked for, when the tool takes one; a path as text, since JSON has no bytes.
        public var path: String?
        /// The input as bounded JSON.
        public var input = ""
    }

    /// Where the record's bytes begin, from the start of the file.
    public var offset: Int64
    /// How many bytes the record has, without the line's end.
    public var length: Int64
    /// The line in the file, counted from 1.
    public var line: Int64
    /// The place within the line's record: 0 for the first or only block.
    public var part: Int64 = 0
    /// What sort of record it is.
    public var kind: Kind
    /// The type as the log spells it, with the subtype behind a slash.
    public var type = ""
    /// When, by the record's own word; `nil` when it does not say.
    public var time: RecordTime?
    /// The beginning of its text.
    public var text: Excerpt?
    /// The tool, for calls and results.
    public var tool: Tool?
    /// Whether the log calls it an error.
    public var isError = false
    /// Whether the log says that permission was refused.
    public var isDenied = false
    /// Where a `user` text came from, by its own word: `human`, `sdk`, `meta`, `compact-summary`.
    public var origin: String?
    /// The session's identifier.
    public var session: String?
    /// The sub-agent's identifier.
    public var agent: String?
    /// Whether it belongs to a side conversation.
    public var isSidechain = false
    /// The model's name.
    public var model: String?
    /// The working directory that the record names.
    public var workingDirectory: String?
    /// The record's own identifier.
    public var id: String?
    /// The identifier of the record that it follows.
    public var parent: String?
    /// Why bytes were unreadable.
    public var reason: UnreadableReason?

    /// A record at a place, with nothing said yet.
    public init(offset: Int64, length: Int64, line: Int64, kind: Kind) {
        self.offset = offset
        self.length = length
        self.line = line
        self.kind = kind
    }
}

/// Why bytes of a log did not become a record. None of these fails an import.
public enum UnreadableReason: String, CaseIterable, Sendable {
    /// The line is longer than the reader's limit.
    case tooLong = "too-long"
    /// It is not JSON, or was spliced with another line.
    case malformed
    /// The file holds more records than the reader's limit; this covers the rest of it.
    case tooMany = "too-many"
}

/// A time as a log tells it.
public struct RecordTime: Hashable, Sendable {
    /// What is known of the zone.
    public enum Zone: String, CaseIterable, Sendable {
        /// The record names an offset or `Z`.
        case stated
        /// The record names none; UTC is assumed.
        case assumedUTC = "assumed-utc"
        /// The record names neither zone nor year; both are assumed.
        case assumedYear = "assumed-utc-and-year"
    }

    /// From the printed moment to the last nanosecond that would print the same.
    public let interval: Interval
    /// What is known of the zone.
    public let zone: Zone

    /// Takes the printed moment and how long one step of its last digit is, in nanoseconds.
    public init(_ moment: Instant, step: Int64, zone: Zone) {
        let (end, overflow) = moment.nanoseconds.addingReportingOverflow(max(0, step - 1))
        interval = Interval(moment, overflow ? moment : Instant(nanoseconds: end))
        self.zone = zone
    }

    /// Takes what was decided elsewhere.
    public init(_ interval: Interval, zone: Zone) {
        self.interval = interval
        self.zone = zone
    }
}
