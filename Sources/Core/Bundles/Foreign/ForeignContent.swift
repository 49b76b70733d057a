import Base
import Sealing

/// Hands the content of one member on and makes its digest.
struct ForeignContent: ~Copyable {
    private let visitor: any ForeignVisitor
    private var hasher = Sealing.Hasher()
    private(set) var size: UInt64 = 0
    private(set) var check = CheckSum()

    init(for visitor: any ForeignVisitor) { self.visitor = visitor }

    mutating func append(_ bytes: UnsafeRawBufferPointer, of member: ForeignMember) throws(Failure) {
        hasher.update(bytes)
        check.update(bytes)
        size += UInt64(bytes.count)
        try visitor.content(bytes, of: member)
    }

    mutating func finish() -> Digest {
        size = 0
        check = CheckSum()
        return hasher.finish()
    }
}
