import Base
import Glibc

/// The bytes of a file or pipe that were read and not yet taken. It grows to the longest line that its owner keeps and
/// moves what is left to its front before it reads on.
struct ByteWindow {
    /// How much is read at once, in bytes.
    static let step = 64 << 10

    private var storage = [UInt8](repeating: 0, count: ByteWindow.step)
    private var start = 0
    private var end = 0

    /// How many bytes are held.
    var count: Int { end - start }

    subscript(index: Int) -> UInt8 { storage[start + index] }

    /// The index of the first newline at or behind `index`.
    func newline(from index: Int) -> Int? {
        guard index < count else { return nil }
        return storage.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            guard let found = memchr(base + start + index, 0x0A, count - index) else { return nil }
            return base.distance(to: UnsafeRawPointer(found)) - start
        }
    }

    mutating func drop(_ count: Int) { start += count }

    /// Calls `body` with the bytes at `range`.
    func withBytes(
        _ range: Range<Int>,
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        let shifted = range.lowerBound + start..<range.upperBound + start
        try storage.withUnsafeBufferPointer { whole throws(Failure) in
            try body(UnsafeBufferPointer(rebasing: whole[shifted]))
        }
    }

    /// Calls `call` with room for one step behind the bytes held; it answers like read(2).
    ///
    /// - Returns: how many bytes came; 0 at the end.
    /// - Throws: `system` with the errno of `call`; EINTR is tried again.
    mutating func fill(
        _ attempt: String,
        from descriptor: Int32,
        by call: (UnsafeMutableRawPointer, Int) -> Int
    ) throws(Failure) -> Int {
        makeRoom()
        while true {
            let room = end
            let result = storage.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return (count: 0, errno: Int32(0)) }
                let count = call(base + room, ByteWindow.step)
                return (count, errno)
            }
            if result.count >= 0 {
                end += result.count
                return result.count
            }
            guard result.errno == EINTR else {
                throw Failure(errno: result.errno, attempt, on: BytePath("descriptor \(descriptor)"))
            }
        }
    }

    private mutating func makeRoom() {
        if start > 0 {
            let from = start
            let held = count
            storage.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                memmove(base, base + from, held)
            }
            start = 0
            end = held
        }
        if end + ByteWindow.step > storage.count {
            storage.append(contentsOf: [UInt8](repeating: 0, count: max(storage.count, ByteWindow.step)))
        }
    }
}
