public import Base

/// What a seal says about a bundle besides the digest of its root: the predicate of the in-toto statement.
/// Everything in it is signed; nothing in it was written by the session.
public struct SealStatement: Hashable, Sendable, Codable {
    /// Why the bundle was made. Each purpose has its own predicate type, so that a drill never passes for an incident.
    public enum Purpose: String, Hashable, Sendable, Codable, CaseIterable {
        /// A capture of a real session.
        case incident
        /// A capture of a drill.
        case exercise
        /// Foreign evidence that was brought in. Never counts as a capture (RT33).
        case imported
    }

    /// The span in which the session was frozen.
    public struct Freeze: Hashable, Sendable, Codable {
        /// When the freeze was proven; `nil` when it was asked for and never proven.
        public var confirmed: Instant?
        /// When the capture last saw the session still frozen.
        public var lastSeen: Instant?
        /// How many processes were frozen at the proof.
        public var processes: Int
        /// Whether nothing of the session ran, came or went from the first look of the capture to the seal (RT28);
        /// `nil` when that was not compared.
        public var unbroken: Bool?
        /// What moved in between, in words of Quell's own; `nil` when that was not compared, empty when unbroken.
        public var breaks: [String]?

        /// Takes all parts.
        public init(
            confirmed: Instant?,
            lastSeen: Instant?,
            processes: Int,
            unbroken: Bool? = nil,
            breaks: [String]? = nil
        ) {
            self.confirmed = confirmed
            self.lastSeen = lastSeen
            self.processes = processes
            self.unbroken = unbroken
            self.breaks = breaks
        }
    }

    /// How the planned items ended; the sum line of data/collection.jsonl says the same.
    public struct Counts: Hashable, Sendable, Codable {
        /// Items planned: the sum of the other four.
        public var planned: Int
        /// Items collected in full.
        public var collected: Int
        /// Items collected in part.
        public var partial: Int
        /// Items left out by policy.
        public var skipped: Int
        /// Items that could not be collected.
        public var failed: Int

        /// Takes the four outcomes; planned is their sum.
        public init(collected: Int = 0, partial: Int = 0, skipped: Int = 0, failed: Int = 0) {
            self.planned = collected + partial + skipped + failed
            self.collected = collected
            self.partial = partial
            self.skipped = skipped
            self.failed = failed
        }

        /// Whether planned is the sum of the four outcomes and none is negative.
        public var addUp: Bool {
            collected >= 0 && partial >= 0 && skipped >= 0 && failed >= 0
                && planned == collected + partial + skipped + failed
        }
    }

    /// Where the journal stood at the seal: data/journal.jsonl ends there (RT15).
    public struct Checkpoint: Hashable, Sendable, Codable {
        /// The number of the last entry.
        public var sequence: UInt64
        /// The digest of the last entry.
        public var head: Digest
        /// The signed note (C2SP tlog-checkpoint), when there is a key.
        public var note: String?

        /// Takes all parts.
        public init(sequence: UInt64, head: Digest, note: String?) {
            self.sequence = sequence
            self.head = head
            self.note = note
        }
    }

    /// The program that made the bundle.
    public struct Tool: Hashable, Sendable, Codable {
        /// Its name.
        public var name: String
        /// Its version.
        public var version: String
        /// SHA-256 of the executable, when it could be read.
        public var digest: Digest?

        /// Takes all parts.
        public init(name: String = "quell", version: String, digest: Digest?) {
            self.name = name
            self.version = version
            self.digest = digest
        }
    }

    /// The name of the bundle, `[a-z0-9-]+`: the directory that a packed bundle unpacks to.
    public var name: String
    /// The case.
    public var caseID: String
    /// Which seal of the case this is, from 1.
    public var number: Int
    /// Why it was made.
    public var purpose: Purpose
    /// How the session was named by the responder.
    public var locator: String
    /// What that resolved to.
    public var pins: [SessionPin]
    /// The frozen span; `nil` when the session was not frozen.
    public var freeze: Freeze?
    /// How the planned items ended.
    public var counts: Counts
    /// Where the journal stood; `nil` for a capture without a case.
    public var checkpoint: Checkpoint?
    /// Who permitted this: a ticket, a legal basis; `nil` is written as `absent`.
    public var authority: String?
    /// The program.
    public var tool: Tool
    /// Who ran it.
    public var responder: String
    /// The host, by name.
    public var host: String
    /// When the capture began.
    public var began: Instant
    /// When the bundle was sealed.
    public var sealed: Instant

    /// Takes all parts.
    public init(
        name: String,
        caseID: String,
        number: Int,
        purpose: Purpose,
        locator: String,
        pins: [SessionPin],
        freeze: Freeze?,
        counts: Counts,
        checkpoint: Checkpoint?,
        authority: String?,
        tool: Tool,
        responder: String,
        host: String,
        began: Instant,
        sealed: Instant
    ) {
        self.name = name
        self.caseID = caseID
        self.number = number
        self.purpose = purpose
        self.locator = locator
        self.pins = pins
        self.freeze = freeze
        self.counts = counts
        self.checkpoint = checkpoint
        self.authority = authority
        self.tool = tool
        self.responder = responder
        self.host = host
        self.began = began
        self.sealed = sealed
    }
}
