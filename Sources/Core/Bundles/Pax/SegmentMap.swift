import Base

/// The stretches of data of one file, checked and kept few enough for a pax header.
struct SegmentMap {
    let segments: [ArchiveEntry.Segment]

    /// Takes stretches as SEEK_DATA and SEEK_HOLE gave them. Empty ones are dropped, those that touch are joined, and when
    /// there are more than `most`, those with the smallest gaps are joined: the archive then holds zeros there.
    ///
    /// - Throws: `malformed` when they overlap, fall back or reach beyond `size`.
    init(_ raw: [ArchiveEntry.Segment], size: UInt64, most: Int = PaxWriter.mostSegments) throws(Failure) {
        let joined = try Self.join(raw, gapsUpTo: 0, size: size)
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
