import Base
import Glibc

/// One open file descriptor with one owner; closed when the owner goes.
struct OwnedDescriptor: ~Copyable, Sendable {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    deinit { close(number) }

    /// Opens `name` below `directory` (or AT_FDCWD), always close-on-exec and never through a symbolic link at its end.
    static func open(
        _ name: BytePath,
        at directory: Int32 = AT_FDCWD,
        flags: Int32,
        mode: mode_t = 0,
        attempt: String
    ) throws(Failure) -> OwnedDescriptor {
        while true {
            let number = name.withCString { openat(directory, $0, flags | O_CLOEXEC | O_NOFOLLOW, mode) }
            if number >= 0 { return OwnedDescriptor(number) }
            let problem = errno
            if problem != EINTR { throw Failure(errno: problem, attempt, on: name) }
        }
    }

    /// What fstat(2) says.
    func status(of subject: BytePath) throws(Failure) -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw Failure(errno: errno, "look at the file", on: subject) }
        return status
    }

    /// Writes all bytes; short writes go on, EINTR is retried.
    func write(_ bytes: UnsafeRawBufferPointer, to subject: BytePath) throws(Failure) {
        try BorrowedDescriptor(number: number).write(bytes, to: subject)
    }

    /// Reads up to the buffer's size at `offset`; 0 is the end of the file.
    func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64,
        of subject: BytePath
    ) throws(Failure) -> Int {
        while true {
            let count = pread(number, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            let problem = errno
            if problem != EINTR { throw Failure(errno: problem, "read the file", on: subject) }
        }
    }

    /// Waits until the file or directory is on disk.
    func sync(_ subject: BytePath) throws(Failure) {
        guard fsync(number) == 0 else { throw Failure(errno: errno, "bring the file to disk", on: subject) }
    }
}

/// A descriptor that somebody else owns and closes.
struct BorrowedDescriptor {
    let number: Int32

    /// Writes all bytes; short writes go on, EINTR is retried.
    func write(_ bytes: UnsafeRawBufferPointer, to subject: BytePath) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(number, rest.baseAddress, rest.count)
            if count < 0 {
                let problem = errno
                if problem == EINTR { continue }
                throw Failure(errno: problem, "write the file", on: subject)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}

extension [UInt8] {
    /// The bytes as raw memory, with typed throws, which the standard library's `withUnsafeBytes` lacks.
    func withRawBytes<Result>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure) -> Result {
        try withUnsafeBufferPointer { buffer throws(Failure) in try body(UnsafeRawBufferPointer(buffer)) }
    }
}
