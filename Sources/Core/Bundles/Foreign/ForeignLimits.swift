/// What the reading of a foreign archive may cost. An archive that asks for more is listed up to there and no further.
public struct ForeignLimits: Hashable, Sendable {
    /// Members that are listed.
    public var members = 1_000_000
    /// Bytes that the content of all members may have together once it is expanded: a gibibyte for any archive, and for
    /// each byte of it 200 more. Text and logs shrink 5 to 30 times, deflate cannot do more than 1,032 times.
    public var expandedBase: UInt64 = 1 << 30
    /// See ``expandedBase``.
    public var expandedFactor: UInt64 = 200
    /// Bytes of the central directory of a zip file, which is read as a whole.
    public var zipDirectory: UInt64 = 256 << 20
    /// Bytes of one extended header of a tar file.
    public var tarHeader: UInt64 = 1 << 20

    /// The limits that hold unless told.
    public init() {}

    /// How many expanded bytes an archive of `size` bytes may have.
    func expanded(of size: UInt64) -> UInt64 {
        let (product, overflow) = size.multipliedReportingOverflow(by: expandedFactor)
        let (sum, carried) = product.addingReportingOverflow(expandedBase)
        return overflow || carried ? .max : sum
    }
}

/// Counts what a foreign archive expands to.
final class ForeignBudget {
    private let limits: ForeignLimits
    private let most: UInt64
    private(set) var expanded: UInt64 = 0
    private(set) var members = 0
    /// Whether it was too much.
    var isExceeded: Bool { expanded > most }

    init(_ limits: ForeignLimits, for size: UInt64) {
        self.limits = limits
        most = limits.expanded(of: size)
    }

    func expand(by count: Int) throws(ForeignProblem) {
        expanded += UInt64(count)
        guard expanded <= most else {
            throw .misread("it expands to more than \(most) bytes, which is more than evidence does")
        }
    }

    func countMember() throws(ForeignProblem) {
        members += 1
        guard members <= limits.members else { throw .misread("it has more than \(limits.members) members") }
    }
}
