public import Base
internal import CLinux
import Glibc

/// The names of a directory in the order of their bytes, at most a given number of them, held in one block of memory.
///
/// A directory of any size is walked in runs: each run reads the whole directory with getdents64(2) in buffers of
/// 64 KiB and keeps only the smallest names after the last one of the run before. Memory is bounded by the run, not by
/// the directory; a name that appears or vanishes between two runs is seen at most once.
public struct FileNames: Sendable {
    private var text: [UInt8]
    private var spans: [Span]
    /// Whether there may be names after the last one here.
    public private(set) var hasMore: Bool

    private struct Span {
        let offset: UInt32
        let length: UInt16
    }

    /// How many names there are.
    public var count: Int { spans.count }

    /// Bytes of memory that it holds.
    public var footprint: Int { text.capacity + spans.capacity * MemoryLayout<Span>.stride }

    /// The name at `index`.
    public subscript(index: Int) -> BytePath {
        let span = spans[index]
        return BytePath(text[Int(span.offset)..<Int(span.offset) + Int(span.length)])
    }

    private static let bufferSize = 64 * 1024

    init(of directory: Int32, subject: BytePath, after last: BytePath?, limit: Int) throws(Failure) {
        text = []
        spans = []
        hasMore = false
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: FileNames.bufferSize, alignment: 8)
        defer { buffer.deallocate() }
        while true {
            let count = clinux_files_getdents(directory, buffer.baseAddress, buffer.count)
            guard count >= 0 else { throw Failure(errno: errno, "list the directory", on: subject) }
            if count == 0 { break }
            take(UnsafeRawBufferPointer(rebasing: buffer.prefix(count)), after: last, limit: limit)
        }
        keepSmallest(limit)
    }

    /// struct linux_dirent64: inode (8), offset (8), length of the record (2), type (1), name with NUL; getdents64(2).
    private mutating func take(_ records: UnsafeRawBufferPointer, after last: BytePath?, limit: Int) {
        var position = 0
        while position + 19 <= records.count {
            let length = Int(records.loadUnaligned(fromByteOffset: position + 16, as: UInt16.self))
            guard length >= 20, position + length <= records.count else { return }
            let field = records[position + 19..<position + length]
            let name = UnsafeRawBufferPointer(rebasing: field.prefix { $0 != 0 })
            position += length
            if isSelfOrParent(name) || !comes(name, after: last) { continue }
            spans.append(Span(offset: UInt32(text.count), length: UInt16(name.count)))
            text.append(contentsOf: name)
            if spans.count >= limit * 2 { keepSmallest(limit) }
        }
    }

    private func isSelfOrParent(_ name: UnsafeRawBufferPointer) -> Bool {
        (1...2).contains(name.count) && name.allSatisfy { $0 == UInt8(ascii: ".") }
    }

    private func comes(_ name: UnsafeRawBufferPointer, after last: BytePath?) -> Bool {
        guard let last else { return true }
        return last.bytes.withUnsafeBytes { FileNames.precedes($0, name) }
    }

    private static func precedes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard let one = left.baseAddress, let other = right.baseAddress else { return left.count < right.count }
        let order = memcmp(one, other, min(left.count, right.count))
        return order == 0 ? left.count < right.count : order < 0
    }

    private mutating func keepSmallest(_ limit: Int) {
        let block = text
        block.withUnsafeBytes { all in
            func bytes(_ span: Span) -> UnsafeRawBufferPointer {
                UnsafeRawBufferPointer(rebasing: all[Int(span.offset)..<Int(span.offset) + Int(span.length)])
            }
            spans.sort { FileNames.precedes(bytes($0), bytes($1)) }
        }
        guard spans.count > limit else { return }
        hasMore = true
        var kept: [UInt8] = []
        var moved: [Span] = []
        moved.reserveCapacity(limit)
        for span in spans.prefix(limit) {
            moved.append(Span(offset: UInt32(kept.count), length: span.length))
            kept += block[Int(span.offset)..<Int(span.offset) + Int(span.length)]
        }
        text = kept
        spans = moved
    }
}
