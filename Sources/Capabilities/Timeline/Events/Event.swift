public import Base

/// One row of a timeline. Its texts are copies of at most ``Event/textBound`` bytes of what a session may have written;
/// the raw text stays in the evidence, where ``citation`` points.
public struct Event: Hashable, Sendable {
    /// The longest text of an event, in UTF-8 bytes.
    public static let textBound = 600

    /// What sort of happening it is. Kinds never mix; which one is possible follows from the writers.
    public enum Kind: Int64, CaseIterable, Sendable {
        /// An order with a source outside the session's reach.
        case instruction = 1
        /// A text that looks like an order, in a file that the session could write (RT3).
        case claimedInstruction
        /// What somebody says: the agent's word, and every record that the session or another user could have written.
        case testimony
        /// The agent asks for a tool.
        case toolCall
        /// What a tool is said to have answered.
        case toolResult
        /// What the kernel or a provider recorded.
        case observation
        /// What a responder or Quell did.
        case responder
        /// A remark about the timeline itself.
        case note
    }

    /// What happened, in a closed vocabulary; the words of the evidence stand in ``object``.
    public enum Verb: Int64, CaseIterable, Sendable {
        case told = 1
        case says
        case thinks
        case calls
        case returns
        case keeps
        case startedProcess
        case bornFile
        case changedFile
        case deletedFile
        case datedFile
        case logged
        case intends
        case concludes
        case probes
        case decides
        case remarks
        case unreadable
    }

    /// How far an action had come when it was recorded.
    public enum Stage: Int64, CaseIterable, Sendable {
        /// Asked for.
        case requested = 1
        /// Allowed.
        case permitted
        /// Said to be done.
        case executed
        /// Seen from outside.
        case observed
    }

    /// What sort of happening it is.
    public let kind: Kind
    /// When; `nil` when nothing is known.
    public var time: EventTime?
    /// Who could have written the record.
    public let writers: Writers
    /// What happened.
    public let verb: Verb
    /// Who is said to have done it.
    public var actor = EvidenceText("")
    /// The session's own identifier, when the record names one.
    public var session: EvidenceText?
    /// What it is about: the words, the command, the path.
    public var object = EvidenceText("")
    /// What belongs to it: the tool's name, the arguments, the type of the record.
    public var detail = EvidenceText("")
    /// How far it had come.
    public var stage: Stage?
    /// Where an order came from, by the record's own word.
    public var origin: EvidenceText?
    /// What joins a tool call to its result within one source.
    public var call: String?
    /// Whether it is state of the runtime that tables leave out unless asked.
    public var isBookkeeping = false
    /// Where the record lies in its source.
    public var citation: Citation

    /// Makes an event. The wanted kind yields to the writers: what the session could have written is never an
    /// instruction or an observation, and only what the kernel or a provider alone wrote is an observation.
    public init(_ wanted: Kind, _ verb: Verb, by writers: Writers, at time: EventTime?, in citation: Citation) {
        kind = Event.kind(wanted, by: writers)
        self.verb = verb
        self.writers = writers
        self.time = time
        self.citation = citation
    }

    private static func kind(_ wanted: Kind, by writers: Writers) -> Kind {
        switch wanted {
        case .instruction where writers.contains(.session) || writers.isEmpty: .claimedInstruction
        case .observation where writers.isEmpty || !writers.isSubset(of: [.kernel, .provider]): .testimony
        case .responder where writers != .quell: .testimony
        default: wanted
        }
    }
}

/// When an event happened: a span that it lies in, and why that span is known.
public struct EventTime: Hashable, Sendable {
    /// Where a time comes from.
    public enum Basis: Int64, CaseIterable, Sendable {
        /// The record states it with its zone.
        case stated = 1
        /// The record states it without a zone; UTC is assumed.
        case assumedUTC
        /// The record states neither zone nor year; both are assumed.
        case assumedYear
        /// The kernel's clock.
        case kernelClock
        /// Quell's clock.
        case quellClock
        /// The records before and after it in the same source.
        case neighbours
    }

    /// The span, both ends in it.
    public let interval: Interval
    /// Why it is known.
    public let basis: Basis

    /// Takes both parts.
    public init(_ interval: Interval, _ basis: Basis) {
        self.interval = interval
        self.basis = basis
    }

    /// How long the span is, in nanoseconds: 1 for a moment known exactly.
    public var precision: Int64 {
        let (span, overflow) = interval.latest.nanoseconds.subtractingReportingOverflow(interval.earliest.nanoseconds)
        return overflow ? .max : (span == .max ? .max : span + 1)
    }
}

/// Where a record lies within its source.
public struct Citation: Hashable, Sendable {
    /// Bytes from the start.
    public let offset: Int64
    /// Bytes of the record.
    public let length: Int64
    /// The line, counted from 1; 0 when the source has none.
    public let line: Int64

    /// Takes all parts.
    public init(offset: Int64, length: Int64, line: Int64) {
        self.offset = offset
        self.length = length
        self.line = line
    }
}
