import Base
import Bundles
import Glibc
import Kernel

/// Copies one regular file as a payload file of its own: deleted files and logs, which have no tree.
struct RawCopier {
    /// Holes up to this size are written as zeros. A file with more is written as its stretches of data one after the
    /// other, with a map beside it: a file of 1 TB without data costs nothing.
    static let writtenHoles: UInt64 = 64 << 20
    private static let blockSize = 1 << 20

    let writer: BundleWriter
    let meter: CaptureMeter
    let budget: CaptureBudget

    /// Copies `node` to the payload file `name` and tells in `item` how that ended.
    ///
    /// - Parameter grows: Whether the file may grow while it is read, as logs of the host do: then the bytes up to the
    ///   size that it had when it was opened are the whole.
    /// - Throws: what the bundle throws; a lease, as `system` with EAGAIN, before anything is written. Errors of the
    ///   file itself are told in the result.
    func copy(
        _ node: borrowing FileNode,
        to name: PayloadName,
        grows: Bool,
        _ planned: CollectionItem
    ) throws(Failure) -> CollectionItem {
        var item = planned
        item.facts = node.facts
        if node.isServedByProcess() { return item.skipped("it is on FUSE, whose server may be frozen") }
        let content: FileContent
        do throws(Failure) {
            content = try node.content()
        } catch {
            if error.errno == EAGAIN { throw error }
            return item.failed(error)
        }
        let map: (segments: [FileSegment], complete: Bool)
        do throws(Failure) {
            map = try content.segments(limit: FileCopier.mostSegments)
        } catch {
            return item.failed(error)
        }
        item.facts = content.facts
        let bytes = map.segments.reduce(0) { $0 + $1.length }
        let holes = content.facts.size - min(content.facts.size, bytes)
        let isWhole = holes <= RawCopier.writtenHoles && map.complete
        guard budget.take(isWhole ? content.facts.size : bytes) else {
            return item.skipped("over the budget: \(bytes) bytes")
        }
        let stream = try writer.stream(name)
        try pour(content, map.segments, fillingHoles: isWhole, to: stream, &item)
        let record = try stream.close()
        item.member = name.text
        item.digest = record.digest
        item.digestScope = isWhole ? "content" : "data"
        if !isWhole { try writeMap(map.segments, beside: name) }
        if !map.complete { item = item.partial("more than \(FileCopier.mostSegments) stretches of data") }
        return judge(content, grows: grows, item)
    }

    private func pour(
        _ content: borrowing FileContent,
        _ segments: [FileSegment],
        fillingHoles: Bool,
        to stream: PayloadStream,
        _ item: inout CollectionItem
    ) throws(Failure) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: RawCopier.blockSize, alignment: 4096)
        defer { buffer.deallocate() }
        var position: UInt64 = 0
        for segment in segments {
            if fillingHoles { try zeros(segment.offset - position, to: stream) }
            position = segment.offset
            let last = segment.offset + segment.length
            while position < last {
                if meter.mustStop() {
                    item = item.partial("\(meter.stopWord) after \(position) bytes")
                    return
                }
                let window = UnsafeMutableRawBufferPointer(
                    rebasing: buffer.prefix(Int(min(last - position, UInt64(buffer.count))))
                )
                let count: Int
                do throws(Failure) {
                    count = try content.read(into: window, at: position)
                } catch {
                    item = item.partial("read to byte \(position): \(error.reason)", errno: error.errno)
                    return
                }
                if count == 0 {
                    item = item.partial("torn: it ended at byte \(position)")
                    return
                }
                try stream.append(UnsafeRawBufferPointer(rebasing: buffer.prefix(count)))
                meter.count(bytes: count)
                position += UInt64(count)
            }
        }
        if fillingHoles { try zeros(content.facts.size - position, to: stream) }
    }

    private func zeros(_ count: UInt64, to stream: PayloadStream) throws(Failure) {
        var left = count
        let block = [UInt8](repeating: 0, count: Int(min(count, 65_536)))
        while left > 0 {
            let part = Int(min(left, UInt64(block.count)))
            try stream.append(Array(block.prefix(part)))
            left -= UInt64(part)
        }
    }

    private func writeMap(_ segments: [FileSegment], beside name: PayloadName) throws(Failure) {
        let stream = try writer.stream(try PayloadName(name.text + ".map.jsonl"))
        for segment in segments {
            try stream.appendLine([
                "offset": .integer(Int64(clamping: segment.offset)),
                "length": .integer(Int64(clamping: segment.length)),
            ])
        }
        try stream.close()
    }

    private func judge(_ content: borrowing FileContent, grows: Bool, _ ended: CollectionItem) -> CollectionItem {
        do throws(Failure) {
            let after = try content.factsNow()
            if content.facts.isUnchanged(in: after) { return ended }
            if grows, after.size >= content.facts.size {
                var item = ended
                if item.reason == nil {
                    item.reason = "it went on growing: \(after.size - content.facts.size) bytes more"
                }
                return item
            }
            return ended.partial("torn: changed while it was read, \(content.facts.size) to \(after.size) bytes")
        } catch {
            return ended.partial("could not be looked at after it was read: \(error.reason)", errno: error.errno)
        }
    }
}
