/// Which pages of memory that several processes share have been taken already: each is in one core only, whoever maps it.
final class SharedPages {
    /// What lies behind a shared mapping.
    struct Object: Hashable {
        let device: String
        let inode: UInt64
    }

    /// Stretches that are remembered for each object; more are taken again rather than forgotten.
    private static let mostStretches = 65_536

    /// Stretches of each object that were taken, by offset, sorted and disjoint.
    private var taken: [Object: [Range<UInt64>]] = [:]

    /// The parts of `range` that were not taken yet; they count as taken from now on.
    func take(_ range: Range<UInt64>, of object: Object) -> [Range<UInt64>] {
        guard !range.isEmpty else { return [] }
        var stretches = taken[object] ?? []
        var new: [Range<UInt64>] = []
        var position = range.lowerBound
        let first = Self.firstIndex(in: stretches, endingAtOrAfter: range.lowerBound)
        var next = first
        while next < stretches.count, stretches[next].lowerBound <= range.upperBound {
            let known = stretches[next]
            if known.lowerBound > position { new.append(position..<min(known.lowerBound, range.upperBound)) }
            position = max(position, known.upperBound)
            next += 1
        }
        if position < range.upperBound { new.append(position..<range.upperBound) }
        guard stretches.count < Self.mostStretches else { return new }
        var joined = range
        if first < next {
            let low = min(range.lowerBound, stretches[first].lowerBound)
            joined = low..<max(range.upperBound, stretches[next - 1].upperBound)
        }
        stretches.replaceSubrange(first..<next, with: [joined])
        taken[object] = stretches
        return new
    }

    private static func firstIndex(in stretches: [Range<UInt64>], endingAtOrAfter offset: UInt64) -> Int {
        var low = 0
        var high = stretches.count
        while low < high {
            let middle = (low + high) / 2
            if stretches[middle].upperBound < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
