public import Casework

/// What kind of thing an action does to the world; the gate, the linter and the help text read it.
public enum Nature: String, Sendable, Codable {
    /// Changes nothing.
    case reads
    /// Holds the session back, and can be taken back.
    case contains
    /// Changes something that cannot simply be taken back.
    case alters
    /// Ends or removes something for good.
    case destroys
}

/// Where an action runs: each lane has its own threads, so a freeze never waits behind a capture.
public enum Lane: String, Sendable, Codable, CaseIterable {
    /// One thread at raised priority.
    case containment
    /// Two threads: files, compression, hashing.
    case capture
    /// Eight threads: servers that may not answer.
    case network

    /// How many threads the lane has.
    public var threads: Int {
        switch self {
        case .containment: 1
        case .capture: 2
        case .network: 8
        }
    }
}

/// What must be on record before an action may alter or destroy (promise 2).
public enum EvidenceRule: Hashable, Sendable {
    /// Nothing: reads and contains.
    case none
    /// The intents of the action hold the state before, and the action itself refuses what it does not own (RT1); for
    /// revoke, release and destroy-sockets. Never for what destroys.
    case stateInIntents
    /// A capture that counts (RT16) with at least this profile, or a waiver.
    case capture(atLeast: CaptureRecord.Profile)
}

/// What an action does to the freeze that a capture has to lie within (RT16).
public enum HoldChange: String, Sendable, Codable {
    /// Nothing.
    case keeps
    /// When it succeeds, the sessions are frozen from then on: freeze.
    case begins
    /// When any of its effects may have happened, they are frozen no more: thaw, kill, restore.
    case ends
}

/// One member of an action's input or output.
public struct Field: Hashable, Sendable {
    /// What may stand there.
    public enum Kind: String, Sendable, Codable {
        /// A text.
        case text
        /// An integer.
        case integer
        /// A fraction or an integer.
        case number
        /// True or false.
        case flag
        /// A span of time, written `5s`, stored in nanoseconds.
        case duration
        /// A session, given by a locator.
        case session
        /// A list of anything.
        case list
        /// An object with members of its own.
        case object
    }

    /// The name of the member.
    public let name: String
    /// What may stand there.
    public let kind: Kind
    /// Whether an input must be given; an output without it may be absent.
    public let isRequired: Bool
    /// The only texts that are allowed; empty allows all.
    public let choices: [String]
    /// One line for people.
    public let summary: String

    /// Takes all parts.
    public init(_ name: String, _ kind: Kind, isRequired: Bool = true, choices: [String] = [], _ summary: String) {
        self.name = name
        self.kind = kind
        self.isRequired = isRequired
        self.choices = choices
        self.summary = summary
    }
}

/// What is known about an action without running it.
public struct ActionDescriptor: Sendable {
    /// The name in playbooks and in the journal: `[a-z0-9-]`.
    public let name: String
    /// One line, an infinitive without `to`.
    public let summary: String
    /// What kind of thing it does.
    public let nature: Nature
    /// Where it runs.
    public let lane: Lane
    /// How long it may take unless a step says otherwise.
    public let deadline: Duration
    /// What must be on record first.
    public let evidence: EvidenceRule
    /// What it does to a freeze.
    public let hold: HoldChange
    /// The members of its input.
    public let inputs: [Field]
    /// The members of its output that other steps may refer to.
    public let outputs: [Field]

    /// Takes all parts. What must be on record follows from the nature: nothing for reads and contains, a volatile
    /// capture for alters, a standard one for destroys. `evidence` may say otherwise only as far as ``ActionRegistry``
    /// lets it.
    public init(
        name: String,
        summary: String,
        nature: Nature,
        lane: Lane,
        deadline: Duration,
        evidence: EvidenceRule? = nil,
        hold: HoldChange = .keeps,
        inputs: [Field] = [],
        outputs: [Field] = []
    ) {
        self.name = name
        self.summary = summary
        self.nature = nature
        self.lane = lane
        self.deadline = deadline
        self.hold = hold
        self.inputs = inputs
        self.outputs = outputs
        self.evidence =
            evidence
            ?? {
                switch nature {
                case .reads, .contains: EvidenceRule.none
                case .alters: .capture(atLeast: .volatile)
                case .destroys: .capture(atLeast: .standard)
                }
            }()
    }

    /// Whether ``evidence`` is at least what the nature demands.
    var isGatedEnough: Bool {
        switch (nature, evidence) {
        case (.reads, _), (.contains, _): true
        case (.alters, .none), (.destroys, .none), (.destroys, .stateInIntents): false
        case (.alters, _): true
        case (.destroys, .capture(let profile)): profile >= .standard
        }
    }
}
