public import Base
public import Bundles
import Kernel
public import Sealing
public import Sessions

/// Which classes a capture takes.
public enum CaptureProfile: String, Hashable, Sendable, CaseIterable, Codable {
    /// What is gone after a kill: clock, processes, sockets, mounts, files without a name.
    case volatile
    /// All that, and transcripts, workspace, logs.
    case standard
    /// All that, and the memory of the processes.
    case full
}

/// What to capture, decided before anything is read.
public struct CaptureRequest: Sendable {
    /// Which classes.
    public var profile: CaptureProfile
    /// How the responder named the session.
    public var locator: BytePath
    /// What that resolved to.
    public var pins: [SessionPin]
    /// The processes to look at: members, strays, guests.
    public var subjects: [CaptureSubject]
    /// The cgroups that hold the session frozen, its own and quarantine ones; empty when it is not frozen.
    public var frozenCgroups: [CgroupPin]
    /// Roots to archive, workspaces and transcripts; names must differ.
    public var trees: [PlannedTree]
    /// Named logs, absolute paths.
    public var logs: [BytePath]
    /// Logs of the host's that were found.
    public var hostLogs: [PlannedLog]
    /// What runtime files say of the container that the session is.
    public var container: ContainerFiles?
    /// How what the session changed of its image is told; `nil` when it has none.
    public var changes: PlannedChanges?
    /// What is mounted into the session from elsewhere.
    public var volumes: [PlannedVolume]
    /// What of the session's own files is known to be there and is not taken, in words.
    public var lacking: [String]
    /// Why there are no processes to look at; `nil` for a session that runs.
    public var ended: String?
    /// What containment knows and proved, for data/containment.json.
    public var containment: JSONValue
    /// The journal up to here, one canonical JSON entry a line, for data/journal.jsonl. Called right before the seal.
    public var journal: @Sendable () throws(Failure) -> JournalExtract?
    /// Bytes that the capture may take before compression; `nil` sets no bound (RT36).
    public var budget: UInt64?
    /// Who alone may open memory and secret values; nobody: they lie in plain.
    public var recipients: [Recipient]
    /// How much of the memory of members and strays is taken; none unless told.
    public var memory: MemoryMode
    /// Bytes in a volume of an archive.
    public var volumeSize: Int
    /// What else the seal says.
    public var seal: SealParts

    /// Takes what has no default.
    public init(
        profile: CaptureProfile,
        locator: BytePath,
        pins: [SessionPin],
        subjects: [CaptureSubject],
        seal: SealParts
    ) {
        self.profile = profile
        self.locator = locator
        self.pins = pins
        self.subjects = subjects
        self.seal = seal
        frozenCgroups = []
        trees = []
        logs = []
        hostLogs = []
        volumes = []
        lacking = []
        containment = .null
        journal = { nil }
        budget = nil
        recipients = []
        memory = profile == .full ? .all : .nothing
        volumeSize = 64 << 20
    }
}

/// The journal as it is sealed: its lines and where they end.
public struct JournalExtract: Sendable {
    /// One canonical JSON entry a line, each with its line feed.
    public let lines: [UInt8]
    /// The last entry, and its signed note when there is a key.
    public let checkpoint: SealStatement.Checkpoint

    /// Takes both.
    public init(lines: [UInt8], checkpoint: SealStatement.Checkpoint) {
        self.lines = lines
        self.checkpoint = checkpoint
    }
}

/// What the seal says and a capture cannot know by itself.
public struct SealParts: Sendable {
    /// The bundle's name, `[a-z0-9-]+`.
    public var name: String
    /// The case.
    public var caseID: String
    /// Which seal of the case this is, from 1.
    public var number: Int
    /// Incident or exercise.
    public var purpose: SealStatement.Purpose
    /// When the freeze was proven and how many processes it held; `nil` when the session was not frozen.
    public var freeze: FreezeProof?
    /// Who permitted this.
    public var authority: String?
    /// The program.
    public var tool: SealStatement.Tool
    /// Who runs it.
    public var responder: String
    /// The host, by name.
    public var host: String

    /// Takes all parts.
    public init(
        name: String,
        caseID: String,
        number: Int,
        purpose: SealStatement.Purpose,
        freeze: FreezeProof?,
        authority: String?,
        tool: SealStatement.Tool,
        responder: String,
        host: String
    ) {
        self.name = name
        self.caseID = caseID
        self.number = number
        self.purpose = purpose
        self.freeze = freeze
        self.authority = authority
        self.tool = tool
        self.responder = responder
        self.host = host
    }
}

/// When a freeze was proven.
public struct FreezeProof: Hashable, Sendable {
    /// When; `nil` when it was asked for and never proven.
    public var confirmed: Instant?
    /// How many processes it held.
    public var processes: Int

    /// Takes both.
    public init(confirmed: Instant?, processes: Int) {
        self.confirmed = confirmed
        self.processes = processes
    }
}

/// A capture that ended: a sealed bundle and what is to be known of it.
public struct SealedCapture: Sendable {
    /// The bundle's directory.
    public let path: BytePath
    /// SHA-256 of tagmanifest-sha256.txt: what the seal is about.
    public let rootDigest: Digest
    /// Which classes were asked for.
    public let profile: CaptureProfile
    /// What the session resolved to.
    public let pins: [SessionPin]
    /// How the planned items ended.
    public let counts: SealStatement.Counts
    /// How the items of each class ended, by the class's name in collection.jsonl.
    public let classes: [String: SealStatement.Counts]
    /// The first 200 things that are not, or not whole, in the bundle; data/collection.jsonl has all.
    public let shortfalls: [Shortfall]
    /// Whether the session stood still.
    public let stillness: Stillness
    /// Whether the capture ended early: a person, its time or the room for it ended it.
    public let wasCancelled: Bool
    /// Why, in a few words; `nil` when it did not.
    public let stopped: String?
    /// Roots that cannot count as collected: not each name in them was reached, or no content of their files was kept.
    public let lostRoots: [String]
    /// Whether the budget left something out.
    public let wasCut: Bool
    /// Items that were left out because nobody asked for them.
    public let notAsked: Int
    /// What reading it back compares with, while this process lives.
    public let sums: WrittenSums

    /// Whether everything that was asked for is there, whole.
    public var isComplete: Bool { counts.collected + notAsked == counts.planned && !wasCancelled }

    /// Whether it has every class that a kill asks for (RT16): no class failed as a whole, no root was lost, the budget
    /// left nothing out, and nobody ended it early. Single items may be missing; they are listed.
    public var hasRequiredClasses: Bool {
        // What the host keeps of a session outlives it: a log that cannot be read holds up no kill.
        let outliving: [CollectionItem.Class] = [.hostLog, .changes, .volumes, .runtime]
        let failed = classes.contains { name, counts in
            !outliving.contains { $0.rawValue == name } && counts.failed > 0 && counts.collected + counts.partial == 0
        }
        return !failed && lostRoots.isEmpty && !wasCut && !wasCancelled
    }
}
