/// Marks of one of thousands of processes, in one word: a set of them for each would cost memory, and the runtime a search of
/// its conformances between a freeze and its proof.
struct MarkSet: Hashable {
    private var bits: UInt16 = 0

    var isEmpty: Bool { bits == 0 }

    /// The same as a set.
    var set: Set<Mark> { Set(Mark.allCases.filter(contains)) }

    func contains(_ mark: Mark) -> Bool { bits & MarkSet.bit(of: mark) != 0 }

    mutating func insert(_ mark: Mark) { bits |= MarkSet.bit(of: mark) }

    private static func bit(of mark: Mark) -> UInt16 {
        switch mark {
        case .lineage: 1 << 0
        case .kernelSession: 1 << 1
        case .pidNamespace: 1 << 2
        case .hierarchy: 1 << 3
        case .dedicatedUser: 1 << 4
        case .included: 1 << 5
        case .mountNamespace: 1 << 6
        case .networkNamespace: 1 << 7
        case .orphan: 1 << 8
        }
    }
}
