public import Base
public import Kernel

/// What a capture would take, in the order in which it would take it, with what that will cost. Made without reading
/// any content and without writing anything, in bounded time.
public struct CapturePlan: Hashable, Sendable {
    /// One thing that would be taken.
    public struct Entry: Hashable, Sendable {
        /// Its class in data/collection.jsonl.
        public let item: String
        /// What it is, for people: the root's name, or what it is called.
        public let name: String
        /// Where it lies; `nil` for what is no path. Hostile.
        public let path: BytePath?
        /// Which share of the budget it takes from.
        public let share: String
        /// How much it is, as far as was counted.
        public let amount: CaptureAmount
        /// Nanoseconds that it will take, at the rates of ``CaptureRates``.
        public let nanoseconds: UInt64
        /// Why it will not be taken, or only in part; `nil` when nothing is known to stand against it.
        public let objection: String?
        /// What else is to be known before it is taken.
        public var remark: String?
    }

    /// One share of the budget.
    public struct Share: Hashable, Sendable {
        /// Its name, such as `transcripts`.
        public let name: String
        /// Hundredths of the budget that are kept for it; what it leaves over goes to those behind it.
        public let percent: UInt64
        /// The same in bytes; `nil` when there is no budget.
        public let bytes: UInt64?
        /// What the entries of this share come to.
        public let wanted: UInt64
    }

    /// The classes that are taken.
    public let profile: CaptureProfile
    /// In the order in which they will be taken: falling volatility (RFC 3227).
    public let entries: [Entry]
    /// The shares of the budget, in the same order.
    public let shares: [Share]
    /// Bytes before compression that the capture may take; `nil` sets no bound.
    public let budget: UInt64?
    /// All of it.
    public let total: CaptureAmount
    /// Nanoseconds for all of it.
    public let nanoseconds: UInt64
}

extension CapturePlan {
    /// Looks at what `request` names, for at most `patience` in all.
    public init(_ request: CaptureRequest, on host: Host, within patience: Duration = .seconds(2)) {
        let forecast = CaptureForecast(request, on: host, until: Deadline(after: patience))
        let entries = CollectionPlan(request).steps.flatMap { forecast.entries(for: $0) } + forecast.omissions
        profile = request.profile
        budget = request.budget
        var total = CaptureAmount()
        var time: UInt64 = 0
        var wanted: [String: UInt64] = [:]
        for entry in entries where entry.share != CaptureForecast.noShare {
            total = total + entry.amount
            time &+= entry.nanoseconds
            wanted[entry.share, default: 0] &+= entry.amount.bytes
        }
        self.total = total
        nanoseconds = time
        let withMemory = request.memory != .nothing
        shares = CaptureBudget.Share.allCases.filter { withMemory || $0 != .memory }.map { share in
            Share(
                name: share.word,
                percent: CaptureBudget.reserve(of: share, in: 10_000, withMemory: withMemory) / 100,
                bytes: request.budget.map { CaptureBudget.reserve(of: share, in: $0, withMemory: withMemory) },
                wanted: wanted[share.word] ?? 0
            )
        }
        self.entries = CaptureForecast.warned(entries, shares, request.budget)
    }
}

/// How much something is, before compression.
public struct CaptureAmount: Hashable, Sendable {
    /// Objects: files, processes, rows.
    public var objects: UInt64 = 0
    /// Bytes of content and of what is told.
    public var bytes: UInt64 = 0
    /// Whether there may be more, because counting was cut or cannot be done without reading.
    public var isAtLeast = false

    /// Nothing, for certain.
    public init() {}

    init(objects: UInt64, bytes: UInt64, isAtLeast: Bool = false) {
        self.objects = objects
        self.bytes = bytes
        self.isAtLeast = isAtLeast
    }

    static func + (left: CaptureAmount, right: CaptureAmount) -> CaptureAmount {
        CaptureAmount(
            objects: left.objects &+ right.objects,
            bytes: left.bytes &+ right.bytes,
            isAtLeast: left.isAtLeast || right.isAtLeast
        )
    }
}

/// What estimates of time stand on: rates of one busy machine with two cores, rather too slow than too fast.
public enum CaptureRates {
    /// Bytes of files in a second: read, hashed, framed and compressed at level 1.
    public static let bytesPerSecond: UInt64 = 120_000_000
    /// Objects of a tree in a second.
    public static let objectsPerSecond: UInt64 = 20_000
    /// Processes in a second, with all that is told of them.
    public static let processesPerSecond: UInt64 = 400

    /// Nanoseconds for an amount of files.
    static func files(_ amount: CaptureAmount) -> UInt64 {
        spend(amount.bytes, at: bytesPerSecond) &+ spend(amount.objects, at: objectsPerSecond)
    }

    /// Nanoseconds for `number` things of which `rate` are done in a second.
    static func spend(_ number: UInt64, at rate: UInt64) -> UInt64 {
        let whole = (number / rate).multipliedReportingOverflow(by: 1_000_000_000)
        return whole.overflow ? .max : whole.partialValue &+ number % rate &* 1_000_000_000 / rate
    }
}

extension CaptureBudget.Share {
    /// Its name for people and documents.
    var word: String {
        switch self {
        case .volatile: "volatile"
        case .memory: "memory"
        case .transcripts: "transcripts"
        case .recovered: "recovered"
        case .workspace: "workspace"
        case .logs: "logs"
        }
    }
}
