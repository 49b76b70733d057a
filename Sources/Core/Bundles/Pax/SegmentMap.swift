import Base

/// The stretches of data of one file, checked and kept few enough for a pax header.
struct SegmentMap {
    /// GNU tar (1.34, sparse.c) reads each stretch from a 512-byte block of its own, libarchive writes one behind the
    /// other: they mean the same only when every stretch but one at the file's end fills whole blocks.
    static let block: UInt64 = 512

    let segments: [ArchiveEntry.Segment]

    /// Takes stretches as SEEK_DATA and SEEK_HOLE gave them. Empty ones are dropped, each is widened to whole blocks of
    /// `block` bytes, those that touch then are joined, and when there are more than `most`, those with the smallest gaps
    /// are joined: the archive then holds zeros there.
    ///
    /// - Throws: `malformed` when they overlap, fall back or reach beyond `size`.
    init(
        _ raw: [ArchiveEntry.Segment],
        size: UInt64,
        most: Int = PaxWriter.mostSegments,
        block: UInt64 = SegmentMap.block
    ) throws(Failure) {
        let exact = try Self.join(raw, gapsUpTo: 0, size: size)
        let joined =
            block > 1 ? try Self.join(Self.widen(exact, to: block, size: size), gapsUpTo: 0, size: size) : exact
        if joined.count <= most {
            segments = joined
            return
        }
        let gaps = zip(joined, joined.dropFirst()).map { $1.offset - ($0.offset + $0.length) }.sorted()
        segments = try Self.join(
            joined,
            gapsUpTo: gaps[joined.count - most - 1],
            atMost: joined.count - most,
            size: size
        )
    }

    /// Bytes that no stretch covers.
    func holes(in size: UInt64) -> UInt64 { segments.reduce(size) { $0 - $1.length } }

    /// Moves starts down and ends up to multiples of `block`; where two stretches then share a block, the second begins at
    /// the end of the first.
    private static func widen(_ exact: [ArchiveEntry.Segment], to block: UInt64, size: UInt64) -> [ArchiveEntry.Segment]
    {
        var reached: UInt64 = 0
        return exact.map { segment in
            let start = max(reached, segment.offset / block * block)
            let (raised, overflow) = (segment.offset + segment.length).addingReportingOverflow(block - 1)
            let end = overflow ? size : min(size, raised / block * block)
            reached = max(reached, end)
            return ArchiveEntry.Segment(offset: start, length: max(start, end) - start)
        }
    }

    private static func join(
        _ raw: [ArchiveEntry.Segment],
        gapsUpTo gap: UInt64,
        atMost limit: Int = .max,
        size: UInt64
    ) throws(Failure) -> [ArchiveEntry.Segment] {
        var joined: [ArchiveEntry.Segment] = []
        var rest = limit
        for segment in raw where segment.length > 0 {
            let end = segment.offset.addingReportingOverflow(segment.length)
            guard !end.overflow, end.partialValue <= size else { throw malformed("a stretch beyond the end") }
            guard let last = joined.last else {
                joined.append(segment)
                continue
            }
            guard segment.offset >= last.offset + last.length else { throw malformed("stretches out of order") }
            if rest > 0, segment.offset - (last.offset + last.length) <= gap {
                rest -= 1
                let whole = ArchiveEntry.Segment(offset: last.offset, length: end.partialValue - last.offset)
                joined[joined.count - 1] = whole
            } else {
                joined.append(segment)
            }
        }
        return joined
    }

    private static func malformed(_ reason: String) -> Failure {
        Failure(.malformed, "archive a sparse file", on: "its stretches of data", because: reason)
    }
}
