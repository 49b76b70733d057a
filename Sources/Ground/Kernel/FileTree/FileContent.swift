public import Base
internal import CLinux
import Glibc

/// A stretch of a file that holds data.
public struct FileSegment: Hashable, Sendable {
    /// Bytes from the start of the file.
    public let offset: UInt64
    /// Bytes of data.
    public let length: UInt64

    /// Takes both numbers.
    public init(offset: UInt64, length: UInt64) {
        self.offset = offset
        self.length = length
    }
}

/// The opened content of one regular file. Opened with O_NONBLOCK, so that a lease answers EAGAIN instead of holding
/// us (fcntl(2)), and with O_NOATIME where the caller may.
public struct FileContent: ~Copyable {
    private let owned: Descriptor
    private var descriptor: Int32 { owned.number }
    private let subject: BytePath
    /// What statx(2) said of the opened file itself.
    public let facts: FileFacts
    /// Whether reading leaves the access time alone; `false` when only the owner may ask for that (O_NOATIME, EPERM).
    public let keepsAccessTime: Bool

    init(reopening node: Int32, facts expected: FileFacts, subject: BytePath) throws(Failure) {
        let flags = clinux_o_nonblock | clinux_o_cloexec
        var opened = clinux_files_reopen(node, flags | clinux_o_noatime)
        var quiet = true
        if opened < 0, errno == EPERM {
            opened = clinux_files_reopen(node, flags)
            quiet = false
        }
        guard opened >= 0 else { throw Failure(errno: errno, "read the file", on: subject) }
        let file = Descriptor(adopting: opened)
        let found = try FileFacts.of(file.number, on: subject)
        guard found.identity == expected.identity, found.kind == .file else {
            throw Failure(.changed, "read the file", on: "\(subject)", because: "another object was opened")
        }
        owned = file
        facts = found
        keepsAccessTime = quiet
        self.subject = subject
    }

    /// The stretches of data in rising order, at most `limit` of them (SEEK_DATA and SEEK_HOLE, lseek(2)), and whether
    /// these are all. A filesystem that knows no holes gives one stretch.
    public borrowing func segments(limit: Int) throws(Failure) -> (segments: [FileSegment], complete: Bool) {
        var found: [FileSegment] = []
        var position: Int64 = 0
        let size = Int64(clamping: facts.size)
        while position < size {
            let start = clinux_files_next_data(descriptor, position)
            if start < 0, errno == ENXIO { return (found, true) }
            guard start >= 0 else { throw Failure(errno: errno, "find the holes of the file", on: subject) }
            if start >= size { return (found, true) }
            if found.count == limit { return (found, false) }
            let end = clinux_files_next_hole(descriptor, start)
            guard end > start else { throw Failure(errno: errno, "find the holes of the file", on: subject) }
            found.append(FileSegment(offset: UInt64(start), length: UInt64(min(end, size) - start)))
            position = end
        }
        return (found, true)
    }

    /// Reads at most the buffer's size from `offset`; 0 means that the file ends there.
    public borrowing func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(clamping: offset))
            if count >= 0 { return count }
            if errno == EINTR { continue }
            throw Failure(errno: errno, "read the file", on: subject)
        }
    }

    /// Asks again what the kernel tells of the opened file.
    public borrowing func factsNow() throws(Failure) -> FileFacts {
        try FileFacts.of(descriptor, on: subject)
    }
}
