/// How many bytes a capture may take, shared out among classes in the order in which they are collected (RT36). Each
/// class has a reserve that nobody before it can touch; what a class leaves over goes to those after it. So junk in the
/// workspace crowds out neither transcripts nor logs, whatever there is of it.
///
/// Bytes are counted before compression; each object costs its names and headers too.
final class CaptureBudget {
    /// A class with its own reserve, in the order of collection: falling volatility (RFC 3227).
    enum Share: Int, CaseIterable, Comparable {
        case volatile, memory, transcripts, recovered, workspace, logs

        /// Hundredths of what is not kept for memory that are kept for it.
        var percent: UInt64 {
            switch self {
            case .volatile: 10
            case .memory: 0
            case .transcripts: 30
            case .recovered: 15
            case .workspace: 30
            case .logs: 15
            }
        }

        static func < (left: Share, right: Share) -> Bool { left.rawValue < right.rawValue }
    }

    /// Hundredths of the whole that are kept for memory when it is taken.
    private static let memoryPercent: UInt64 = 30

    private let total: UInt64?
    private let withMemory: Bool
    private var spent: UInt64 = 0
    private var current = Share.volatile
    /// Whether something was left out because its share did not have the bytes.
    private(set) var hasRefused = false

    /// Takes the bytes of the whole capture; `nil` sets no bound.
    init(_ total: UInt64?, withMemory: Bool = false) {
        self.total = total
        self.withMemory = withMemory
    }

    /// Goes on to `share`; the order never turns back.
    func enter(_ share: Share) {
        precondition(share >= current, "shares are spent in their order")
        current = share
    }

    /// What the present share may still take.
    var left: UInt64 {
        guard let total else { return .max }
        let kept = Share.allCases.filter { $0 > current }.reduce(0) { $0 + reserve(of: $1, in: total) }
        let open = total - min(total, kept)
        return open - min(open, spent)
    }

    private func reserve(of share: Share, in total: UInt64) -> UInt64 {
        Self.reserve(of: share, in: total, withMemory: withMemory)
    }

    /// What is kept of `total` for a share.
    static func reserve(of share: Share, in total: UInt64, withMemory: Bool) -> UInt64 {
        guard withMemory else { return total / 100 * share.percent }
        if share == .memory { return total / 100 * memoryPercent }
        return total / 100 * (100 - memoryPercent) / 100 * share.percent
    }

    /// Takes `bytes`, or nothing and gives `false` when the share does not have them.
    func take(_ bytes: UInt64) -> Bool {
        guard bytes <= left else {
            hasRefused = true
            return false
        }
        spent &+= bytes
        return true
    }

    /// Takes `bytes` that have been written already, whatever is left.
    func spend(_ bytes: UInt64) { spent &+= bytes }
}
