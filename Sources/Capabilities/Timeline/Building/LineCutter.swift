import Base

/// Cuts pieces of a file into lines of at most ``bound`` bytes. A longer line is told as unreadable.
struct LineCutter {
    static let bound = 4 << 20

    private var pending: [UInt8] = []
    private var offset: Int64 = 0
    private var length: Int64 = 0
    private var number: Int64 = 0

    /// Takes the next piece; `body` gets each finished line with its place, `nil` for the bytes of one beyond the bound.
    mutating func take(
        _ piece: UnsafeRawBufferPointer,
        _ body: ([UInt8]?, Citation) throws(Failure) -> Void
    ) throws(Failure) {
        var rest = piece[...]
        while let end = rest.firstIndex(of: 0x0A) {
            keep(rest[rest.startIndex..<end])
            try finishLine(newline: 1, body)
            rest = rest[(end + 1)...]
        }
        keep(rest)
    }

    /// Ends the file: what stands behind the last newline is a line too.
    mutating func finish(_ body: ([UInt8]?, Citation) throws(Failure) -> Void) throws(Failure) {
        if length > 0 { try finishLine(newline: 0, body) }
    }

    private mutating func keep(_ bytes: Slice<UnsafeRawBufferPointer>) {
        length += Int64(bytes.count)
        if length <= LineCutter.bound { pending.append(contentsOf: bytes) }
    }

    private mutating func finishLine(
        newline: Int64,
        _ body: ([UInt8]?, Citation) throws(Failure) -> Void
    ) throws(Failure) {
        number += 1
        let citation = Citation(offset: offset, length: length, line: number)
        let line = length <= LineCutter.bound ? pending : nil
        offset += length + newline
        length = 0
        pending.removeAll(keepingCapacity: true)
        try body(line, citation)
    }
}
