public import Base

/// The content of the entry that a walk is at; of no use after the walk's body has returned.
public final class EntryContent {
    private let pass: ArchivePass

    init(_ pass: ArchivePass) { self.pass = pass }

    /// Hands the stretches of data to `body` with their offsets, in order; what lies between and behind is a hole of
    /// zeros. A second call hands over nothing.
    ///
    /// - Throws: `notVerified` when the archive is damaged, `system` with errno, and what `body` throws.
    public func read(
        _ body: (_ offset: UInt64, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        while let (offset, bytes) = try failing({ () throws(Problem) in try pass.reader.nextData() }) {
            try body(offset, bytes)
        }
    }

    /// The whole content with zeros for holes.
    ///
    /// - Throws: as ``read(_:)``; `refused` when it is longer than `limit` bytes.
    public func bytes(limit: Int = 64 << 20) throws(Failure) -> [UInt8] {
        var content: [UInt8] = []
        try read { offset, bytes throws(Failure) in
            guard offset + UInt64(bytes.count) <= UInt64(clamping: limit) else {
                throw Failure(
                    .refused,
                    "read an archived file",
                    on: "its content",
                    because: "longer than \(limit) bytes"
                )
            }
            content += [UInt8](repeating: 0, count: Int(offset) - content.count)
            content += bytes
        }
        return content
    }

    /// Writes the content to `descriptor`, holes and the rest up to `size` as zeros.
    func write(size: UInt64, to descriptor: Int32, subject: BytePath) throws(Failure) {
        let zeros = try ZeroRegion()
        let output = BorrowedDescriptor(number: descriptor)
        var position: UInt64 = 0
        func fill(to end: UInt64) throws(Failure) {
            while position < end {
                let count = Int(min(end - position, 1 << 20))
                try output.write(UnsafeRawBufferPointer(rebasing: zeros.bytes[..<count]), to: subject)
                position += UInt64(count)
            }
        }
        try read { offset, bytes throws(Failure) in
            try fill(to: offset)
            try output.write(bytes, to: subject)
            position += UInt64(bytes.count)
        }
        try fill(to: size)
    }
}
