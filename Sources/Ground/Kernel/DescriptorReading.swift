public import Base
internal import Glibc

extension Descriptor {
    /// Reads at most `buffer.count` bytes once from the current position. Zero is the end of the file, not an error.
    public func read(into buffer: UnsafeMutableRawBufferPointer, from path: BytePath) throws(Failure) -> Int {
        let count = repeating { Glibc.read(number, buffer.baseAddress, buffer.count) }
        guard count >= 0 else { throw Failure(errno: errno, "read", on: path) }
        return count
    }

    /// Reads at most `buffer.count` bytes once at `offset`. Zero is the end of the file, not an error.
    public func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64,
        from path: BytePath
    ) throws(Failure) -> Int {
        let count = repeating { Glibc.pread(number, buffer.baseAddress, buffer.count, off_t(offset)) }
        guard count >= 0 else { throw Failure(errno: errno, "read", on: path) }
        return count
    }

    /// Reads from the current position to the end, but at most `limit` bytes; what is beyond is left unread.
    public func readToEnd(limit: Int = 16 << 20, from path: BytePath) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        try read(limit: limit, from: path) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Reads from the start to the end with pread(2), but at most `limit` bytes, so that one descriptor opened
    /// beforehand can be read again and again.
    public func readAgain(limit: Int = 1 << 20, from path: BytePath) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < limit {
            let wanted = min(limit - bytes.count, bytes.isEmpty ? 4096 : 65_536)
            let before = bytes.count
            var problem: Failure?
            let chunk = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
                let read = repeating { Glibc.pread(number, buffer.baseAddress, wanted, off_t(before)) }
                if read < 0 { problem = Failure(errno: errno, "read", on: path) }
                count = max(0, read)
            }
            if let problem { throw problem }
            if chunk.isEmpty { break }
            bytes.append(contentsOf: chunk)
        }
        return bytes
    }

    private func read(
        limit: Int,
        from path: BytePath,
        _ take: (UnsafeRawBufferPointer) -> Void
    ) throws(Failure) {
        var left = limit
        var size = min(limit, 4096)
        while left > 0 {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(size, left), alignment: 16)
            defer { buffer.deallocate() }
            let count = try read(into: buffer, from: path)
            if count == 0 { return }
            take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            left -= count
            size = 65_536
        }
    }

    /// Writes all bytes at the current position, in as many calls as it takes.
    public func write(_ bytes: UnsafeRawBufferPointer, to path: BytePath, attempt: String = "write") throws(Failure) {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = repeating { Glibc.write(number, rest.baseAddress, rest.count) }
            guard count >= 0 else { throw Failure(errno: errno, attempt, on: path) }
            written += count
        }
    }

    /// Writes a short text as one write(2) at offset 0, as the control files of the kernel want it.
    public func writeOnce(_ text: String, to path: BytePath, attempt: String = "write") throws(Failure) {
        let bytes = Array(text.utf8)
        let count = bytes.withUnsafeBytes { buffer in
            repeating { Glibc.write(number, buffer.baseAddress, buffer.count) }
        }
        guard count >= 0 else { throw Failure(errno: errno, attempt, on: path) }
        guard count == bytes.count else {
            throw Failure(
                .system,
                attempt,
                on: path.description,
                because: "only \(count) of \(bytes.count) bytes taken"
            )
        }
    }

    /// The inode, the device and the mode of what is open, fstat(2).
    public func identity(of path: BytePath) throws(Failure) -> NodeIdentity {
        var facts = stat()
        guard fstat(number, &facts) == 0 else { throw Failure(errno: errno, "look at", on: path) }
        return NodeIdentity(
            inode: UInt64(facts.st_ino),
            device: UInt64(facts.st_dev),
            mode: facts.st_mode,
            uid: facts.st_uid
        )
    }
}

/// Which file an open descriptor is, and who owns it.
public struct NodeIdentity: Hashable, Sendable {
    /// The inode number.
    public let inode: UInt64
    /// The device number, st_dev.
    public let device: UInt64
    /// Type and permission bits, st_mode.
    public let mode: UInt32
    /// The owner.
    public let uid: UInt32
}
