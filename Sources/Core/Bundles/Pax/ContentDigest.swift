import Base
import Sealing

/// The digest of one file while its content passes by: the whole content, or the stretches of data when there are more
/// than ``ArchiveEntry/holesInContentDigest`` bytes of holes. Writer and verifier use the same.
struct ContentDigest: ~Copyable {
    private var hasher = Sealing.Hasher()
    private(set) var scope = ArchiveEntry.DigestScope.content
    private var segments: [ArchiveEntry.Segment] = []
    private var position: UInt64 = 0
    private let zeros: [UInt8] = Array(repeating: 0, count: 64 << 10)

    /// Starts a file; `segments` is `nil` for a file that is not sparse.
    mutating func begin(size: UInt64, map: SegmentMap?) {
        position = 0
        segments = []
        scope = .content
        guard let map, map.holes(in: size) > ArchiveEntry.holesInContentDigest else { return }
        scope = .segments
        segments = map.segments.reversed()
    }

    /// Takes the next bytes of content.
    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard scope == .segments else {
            hasher.update(bytes)
            return
        }
        var rest = bytes
        while !rest.isEmpty {
            let step = nextStep(atMost: UInt64(rest.count))
            if step.isData { hasher.update(UnsafeRawBufferPointer(rebasing: rest[..<Int(step.length)])) }
            rest = UnsafeRawBufferPointer(rebasing: rest[Int(step.length)...])
        }
    }

    /// Takes `length` zeros.
    mutating func skip(_ length: UInt64) {
        var rest = length
        while rest > 0 {
            let step = scope == .segments ? nextStep(atMost: rest) : (length: rest, isData: true)
            if step.isData { hashZeros(step.length) }
            rest -= step.length
        }
    }

    /// The digest; the next file may begin.
    mutating func finish() -> Digest { hasher.finish() }

    private mutating func hashZeros(_ length: UInt64) {
        var rest = length
        while rest > 0 {
            let count = Int(min(rest, UInt64(zeros.count)))
            zeros.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            rest -= UInt64(count)
        }
    }

    /// How far the current stretch or hole reaches, and whether it is data; moves on by that much.
    private mutating func nextStep(atMost limit: UInt64) -> (length: UInt64, isData: Bool) {
        while let segment = segments.last, segment.offset + segment.length <= position { segments.removeLast() }
        guard let segment = segments.last else {
            position += limit
            return (limit, false)
        }
        if position < segment.offset {
            let length = min(limit, segment.offset - position)
            position += length
            return (length, false)
        }
        if position == segment.offset {
            hasher.update(bigEndian(segment.offset) + bigEndian(segment.length))
        }
        let length = min(limit, segment.offset + segment.length - position)
        position += length
        return (length, true)
    }

    private func bigEndian(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
    }
}
