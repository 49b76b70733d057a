import Base
import Bundles
import Glibc
import Kernel

/// Reads regular files once, through one buffer, into an archive.
final class FileCopier {
    /// How one file's content ended.
    struct End {
        var outcome = CollectionItem.Outcome.collected
        var reason: String?
        var errno: Int32?
        var receipt: EntryReceipt?
        /// What the kernel told of the opened file.
        var facts: FileFacts

        mutating func fall(_ outcome: CollectionItem.Outcome, _ reason: String, errno: Int32? = nil) {
            self.outcome = outcome
            self.reason = self.reason.map { "\($0); \(reason)" } ?? reason
            self.errno = errno ?? self.errno
        }
    }

    /// Stretches of data that are followed in one file; 16 bytes each here and more in the archive's writer.
    static let mostSegments = 131_072
    private static let blockSize = 1 << 20

    private let archive: ArchiveWriter
    private let meter: CaptureMeter
    private let budget: CaptureBudget
    private let buffer: UnsafeMutableRawBufferPointer
    /// Called when a file is open and before it is read, for tests of files that change meanwhile.
    private let opened: (BytePath) -> Void

    init(
        into archive: ArchiveWriter,
        meter: CaptureMeter,
        budget: CaptureBudget,
        opened: @escaping (BytePath) -> Void
    ) {
        self.archive = archive
        self.meter = meter
        self.budget = budget
        self.opened = opened
        buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: FileCopier.blockSize, alignment: 4096)
    }

    deinit { buffer.deallocate() }

    /// Archives the file behind `node` under the metadata of `entry`. A file that cannot be read is archived as
    /// metadata only.
    ///
    /// - Throws: what the archive throws; a lease, as `system` with EAGAIN, before anything is written. Errors of the
    ///   file itself are told in the result.
    func copy(_ node: borrowing FileNode, as entry: ArchiveEntry) throws(Failure) -> End {
        let content: FileContent
        do throws(Failure) {
            content = try node.content()
        } catch {
            if error.errno == EAGAIN { throw error }
            return try recordOnly(entry, End(facts: node.facts), .failed, error.reason, errno: error.errno)
        }
        opened(entry.path)
        var end = End(facts: content.facts)
        if !content.keepsAccessTime { end.reason = "reading it changed its access time" }
        let map: DataMap
        do throws(Failure) {
            map = try DataMap(of: content, limit: FileCopier.mostSegments)
        } catch {
            return try recordOnly(entry, end, .failed, error.reason, errno: error.errno)
        }
        guard budget.take(map.bytes) else {
            return try recordOnly(entry, end, .skipped, "over the budget: \(map.bytes) bytes")
        }
        return try copy(content, map, as: entry, end)
    }

    private func copy(
        _ content: borrowing FileContent,
        _ map: DataMap,
        as metadata: ArchiveEntry,
        _ start: End
    ) throws(Failure) -> End {
        var end = start
        var entry = metadata
        entry.kind = .file(size: content.facts.size, segments: map.archived)
        entry.modified = FileTime(content.facts.modified)
        entry.changed = FileTime(content.facts.changed)
        // The first block is read before the header is written: what cannot be read at all is metadata only.
        var first: Int?
        if let segment = map.segments.first {
            do throws(Failure) {
                first = try read(content, at: segment.offset, atMost: segment.length)
            } catch {
                return try recordOnly(entry, end, .failed, error.reason, errno: error.errno)
            }
        }
        try archive.begin(entry)
        try pour(content, map, first: first, into: &end)
        let receipt = try archive.endEntry()
        end.receipt = receipt
        judge(content, map, receipt, &end)
        return end
    }

    /// Gives the archive every stretch of data and every hole, until the file ends, fails or the capture is cancelled.
    private func pour(
        _ content: borrowing FileContent,
        _ map: DataMap,
        first: Int?,
        into end: inout End
    ) throws(Failure) {
        var position: UInt64 = 0
        var ready = first
        for segment in map.segments {
            if segment.offset > position { try archive.skipHole(segment.offset - position) }
            position = segment.offset
            let last = segment.offset + segment.length
            while position < last {
                if meter.mustStop() {
                    end.fall(.partial, "\(meter.stopWord) after \(position) bytes")
                    return
                }
                let count: Int
                do throws(Failure) {
                    if let ready {
                        count = ready
                    } else {
                        count = try read(content, at: position, atMost: last - position)
                    }
                } catch {
                    end.fall(.partial, "read to byte \(position): \(error.reason)", errno: error.errno)
                    return
                }
                ready = nil
                if count == 0 { return }
                try archive.append(UnsafeRawBufferPointer(rebasing: buffer.prefix(count)))
                meter.count(bytes: count)
                position += UInt64(count)
            }
        }
        if map.isComplete, content.facts.size > position { try archive.skipHole(content.facts.size - position) }
    }

    /// Looks at the file again: whether what was read is what was there.
    private func judge(_ content: borrowing FileContent, _ map: DataMap, _ receipt: EntryReceipt, _ end: inout End) {
        do throws(Failure) {
            let after = try content.factsNow()
            if !content.facts.isUnchanged(in: after) {
                end.fall(.partial, "torn: changed while it was read, \(content.facts.size) to \(after.size) bytes")
            } else if receipt.isTorn, end.outcome == .collected {
                end.fall(.partial, "torn: \(receipt.missing) bytes are missing, \(receipt.excess) are too many")
            }
        } catch {
            end.fall(.partial, "could not be looked at after it was read: \(error.reason)", errno: error.errno)
        }
        if !map.isComplete { end.fall(.partial, "more than \(FileCopier.mostSegments) stretches of data") }
        if let warning = receipt.warning { end.fall(.partial, warning) }
    }

    private func read(
        _ content: borrowing FileContent,
        at offset: UInt64,
        atMost length: UInt64
    ) throws(Failure) -> Int {
        let window = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(Int(min(length, UInt64(buffer.count)))))
        return try content.read(into: window, at: offset)
    }

    private func recordOnly(
        _ entry: ArchiveEntry,
        _ start: End,
        _ outcome: CollectionItem.Outcome,
        _ reason: String,
        errno: Int32? = nil
    ) throws(Failure) -> End {
        var end = start
        end.fall(outcome, reason, errno: errno)
        var entry = entry
        entry.isMetadataOnly = true
        end.receipt = try archive.add(entry)
        return end
    }
}

/// Where a file has data.
private struct DataMap {
    let segments: [FileSegment]
    let isComplete: Bool
    let bytes: UInt64
    /// As the archive wants it: `nil` for a file without holes.
    let archived: [ArchiveEntry.Segment]?

    init(of content: borrowing FileContent, limit: Int) throws(Failure) {
        let facts = content.facts
        if facts.blocks &* 512 >= facts.size {
            segments = facts.size == 0 ? [] : [FileSegment(offset: 0, length: facts.size)]
            isComplete = true
            bytes = facts.size
            archived = nil
            return
        }
        (segments, isComplete) = try content.segments(limit: limit)
        bytes = segments.reduce(0) { $0 + $1.length }
        let stretches = segments.map { ArchiveEntry.Segment(offset: $0.offset, length: $0.length) }
        archived = bytes == facts.size ? nil : stretches
    }
}

extension FileTime {
    init(_ stamp: FileStamp) { self.init(seconds: stamp.seconds, nanoseconds: stamp.nanoseconds) }
}
