import Base
import Glibc

/// A file without a name that waits for its end: a crash leaves nothing of it. Not for use from two threads at once.
final class SpoolFile {
    private let folder: BytePath
    private let file: OwnedDescriptor
    /// Bytes in it.
    private(set) var size: UInt64 = 0

    init(in folder: BytePath) throws(Failure) {
        self.folder = folder
        do throws(Failure) {
            let flags = NascentFile.unnamed | O_RDWR
            file = try .open(folder, flags: flags, mode: 0o600, attempt: "make a file that waits")
        } catch {
            // A file system that knows no files without a name: one that loses its name at once.
            guard error.errno == EOPNOTSUPP || error.errno == EISDIR else { throw error }
            let name = folder.appending(".quell-\(getpid())-\(Deadline.monotonicNow())")
            let flags = O_RDWR | O_CREAT | O_EXCL
            file = try .open(name, flags: flags, mode: 0o600, attempt: "make a file that waits")
            _ = name.withCString { unlink($0) }
        }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try file.write(bytes, to: folder)
        size += UInt64(bytes.count)
    }

    /// Hands over all of it, through one buffer.
    func forEach(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        if size == 0 { return }
        let buffer = PageBuffer(size: 256 << 10)
        var position: UInt64 = 0
        while position < size {
            let count = try file.read(into: buffer.bytes, at: position, of: folder)
            guard count > 0 else {
                throw Failure(.changed, "read a file that waits", on: "\(folder)", because: "it became shorter")
            }
            try body(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]))
            position += UInt64(count)
        }
    }

    /// Gives its room back before it goes.
    func empty() throws(Failure) {
        guard ftruncate(file.number, 0) == 0 else {
            throw Failure(errno: errno, "empty a file that waits", on: folder)
        }
        size = 0
    }
}
