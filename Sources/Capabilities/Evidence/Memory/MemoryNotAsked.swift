public import Base
public import Bundles

extension CollectionItem {
    /// The item of memory in a capture that was not asked for it.
    static let memoryNotAsked = CollectionItem(.memory).skipped(MemoryItem.notAsked)

    /// Whether it was left out because nobody asked for it: that is no shortfall.
    var isNotAsked: Bool { item == .memory && outcome == .skipped && reason == MemoryItem.notAsked }
}

extension CollectionItem {
    /// How many items of the account of a sealed bundle were left out because nobody asked for them.
    ///
    /// - Throws: as ``Bundles/VerifiedBundle/read(_:_:)`` of data/collection.jsonl.
    public static func notAsked(in bundle: VerifiedBundle) throws(Failure) -> Int {
        let wanted = CanonicalJSON.bytes(of: memoryNotAsked.json)
        var count = 0
        var line: [UInt8] = []
        try bundle.read(try PayloadName("data/collection.jsonl")) { bytes in
            for part in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
                if part.offset > 0 {
                    if line == wanted { count += 1 }
                    line.removeAll(keepingCapacity: true)
                }
                if line.count <= wanted.count { line.append(contentsOf: part.element) }
            }
        }
        return count
    }
}
