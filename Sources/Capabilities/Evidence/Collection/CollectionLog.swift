public import Base
import Bundles
import Kernel

/// The account of a capture: data/collection.jsonl, one line an item, and the sum at its end. Every planned item ends
/// here exactly once, so that what is missing is told and not left out (R13).
final class CollectionLog {
    /// How items of one class ended.
    struct Tally: Hashable {
        var planned = 0
        var ended: [CollectionItem.Outcome: Int] = [:]

        subscript(outcome: CollectionItem.Outcome) -> Int { ended[outcome, default: 0] }
        var isBalanced: Bool { planned == ended.values.reduce(0, +) }
    }

    /// What was kept of one root.
    private struct RootTally {
        var wasReached = true
        var files = 0
        var keptFiles = 0
    }

    /// How many lines of what was not collected are kept for people; all of them stand in the file.
    static let toldToPeople = 200

    private let stream: PayloadStream
    private(set) var tallies: [CollectionItem.Class: Tally] = [:]
    /// The first items that were not collected in full.
    private(set) var shortfalls: [Shortfall] = []
    /// Items that nobody asked for: they are no shortfall.
    private(set) var notAsked = 0
    private var roots: [String: RootTally] = [:]

    init(writing stream: PayloadStream) { self.stream = stream }

    /// Announces that one item of `item` will end.
    func plan(_ item: CollectionItem.Class) { tallies[item, default: Tally()].planned += 1 }

    /// Ends one planned item.
    func end(_ item: CollectionItem) throws(Failure) {
        tallies[item.item, default: Tally()].ended[item.outcome, default: 0] += 1
        if item.isNotAsked { notAsked += 1 }
        let isShort = item.outcome != .collected && !item.isOutside && !item.isNotAsked
        if isShort, shortfalls.count < CollectionLog.toldToPeople {
            shortfalls.append(Shortfall(item))
        }
        note(item)
        try stream.appendLine(item.json)
    }

    private func note(_ item: CollectionItem) {
        guard let root = item.root else { return }
        if item.isOutside { return }
        if item.item == .tree {
            roots[root, default: RootTally()].wasReached = item.outcome == .collected
        } else if item.facts?.kind == .file {
            roots[root, default: RootTally()].files += 1
            if item.outcome == .collected || item.outcome == .partial { roots[root]?.keptFiles += 1 }
        }
    }

    /// Roots that cannot count as collected, sorted: not each name below them was reached, or they have files and the
    /// content of not one is in the bundle. The other roots of the same class do not make up for them (RT16).
    var lostRoots: [String] {
        roots.filter { !$0.value.wasReached || ($0.value.files > 0 && $0.value.keptFiles == 0) }.keys.sorted()
    }

    /// Plans and ends an item that was found on the way.
    func record(_ item: CollectionItem) throws(Failure) {
        plan(item.item)
        try end(item)
    }

    /// The four sums over all classes.
    var counts: SealStatement.Counts {
        func sum(_ outcome: CollectionItem.Outcome) -> Int { tallies.values.reduce(0) { $0 + $1[outcome] } }
        return SealStatement.Counts(
            collected: sum(.collected),
            partial: sum(.partial),
            skipped: sum(.skipped),
            failed: sum(.failed)
        )
    }

    /// The sums of each class by its name.
    var countsByClass: [String: SealStatement.Counts] {
        var classes: [String: SealStatement.Counts] = [:]
        for (name, tally) in tallies {
            classes[name.rawValue] = SealStatement.Counts(
                collected: tally[.collected],
                partial: tally[.partial],
                skipped: tally[.skipped],
                failed: tally[.failed]
            )
        }
        return classes
    }

    /// Writes the sum and ends the file.
    ///
    /// - Throws: `refused` when a planned item has not ended: that is a defect of Quell and must not be sealed.
    func close() throws(Failure) {
        for (name, tally) in tallies where !tally.isBalanced {
            throw Failure(
                .refused,
                "close the account of the capture",
                on: name.rawValue,
                because: "\(tally.planned) items were planned and \(tally.ended.values.reduce(0, +)) ended"
            )
        }
        let sum = counts
        try stream.appendLine([
            "item": "sum",
            "planned": .integer(Int64(sum.planned)),
            "collected": .integer(Int64(sum.collected)),
            "partial": .integer(Int64(sum.partial)),
            "skipped": .integer(Int64(sum.skipped)),
            "failed": .integer(Int64(sum.failed)),
        ])
        try stream.close()
    }
}

/// One thing that is not, or not whole, in the bundle.
public struct Shortfall: Hashable, Sendable {
    /// What kind of thing it is.
    public let item: String
    /// The root it lies under.
    public let root: String?
    /// Its path; hostile.
    public let path: BytePath?
    /// `partial`, `skipped` or `failed`.
    public let outcome: String
    /// Why.
    public let reason: String

    init(_ item: CollectionItem) {
        self.item = item.item.rawValue
        root = item.root
        path = item.path
        outcome = item.outcome.rawValue
        reason = item.reason ?? "no reason was recorded"
    }
}

extension Shortfall: Codable {}

extension Shortfall: CustomStringConvertible {
    /// `workspace d1/a.txt is partial: torn`, safe for a terminal.
    public var description: String {
        let place = [root ?? item, path.map { "\($0)" }].compactMap { $0 }.filter { !$0.isEmpty }
        return "\(place.joined(separator: " ")) is \(outcome): \(Escaped.terminal(reason))"
    }
}
