import Base
import Bundles

/// The account of an import, data/collection.jsonl: each thing that was to be done ends once, and the last line is the sum.
struct ImportAccount {
    private var lines: [UInt8] = []
    private(set) var counts = SealStatement.Counts()

    /// Ends an item: collected, or in part because of `shortfall`.
    mutating func end(_ item: String, member: String? = nil, _ shortfall: String? = nil) {
        counts.planned += 1
        if shortfall == nil { counts.collected += 1 } else { counts.partial += 1 }
        write(item, shortfall == nil ? "collected" : "partial", member, shortfall)
    }

    /// Ends an item that there is nothing of.
    mutating func skip(_ item: String, _ reason: String) {
        counts.planned += 1
        counts.skipped += 1
        write(item, "skipped", nil, reason)
    }

    /// All lines and the sum.
    var bytes: [UInt8] {
        let sum: JSONValue = [
            "item": "sum", "planned": .integer(Int64(counts.planned)), "collected": .integer(Int64(counts.collected)),
            "partial": .integer(Int64(counts.partial)), "skipped": .integer(Int64(counts.skipped)),
            "failed": .integer(Int64(counts.failed)),
        ]
        return lines + CanonicalJSON.bytes(of: sum) + [0x0A]
    }

    private mutating func write(_ item: String, _ outcome: String, _ member: String?, _ reason: String?) {
        var line = JSONObject()
        line["item"] = .string("imported \(item)")
        line["outcome"] = .string(outcome)
        line["member"] = member.map(JSONValue.string)
        line["reason"] = reason.map(JSONValue.string)
        lines += CanonicalJSON.bytes(of: .object(line)) + [0x0A]
    }
}
