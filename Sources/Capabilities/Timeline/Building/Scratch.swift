import Base
import Glibc

/// A file without a name, for content that a worker reads: only the descriptor leads to it.
struct Scratch: ~Copyable {
    let descriptor: Int32
    private let place: BytePath

    /// Makes one in `folder`, 0600, and takes its name away at once.
    init(in folder: BytePath) throws(Failure) {
        let name = folder.appending(".quell-scratch-" + String(UInt64.random(in: .min ... .max), radix: 16))
        let file = name.withCString { open($0, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        guard file >= 0 else { throw Failure(errno: errno, "make a file for the worker", on: folder) }
        guard name.withCString({ unlink($0) }) == 0 else {
            let number = errno
            close(file)
            throw Failure(errno: number, "hide the file for the worker", on: folder)
        }
        descriptor = file
        place = folder
    }

    /// Writes all of `bytes` at `offset`.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Failure) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            if count >= 0 {
                done += count
                continue
            }
            let number = errno
            if number != EINTR { throw Failure(errno: number, "write a file for the worker", on: place) }
        }
    }

    /// Gives the file its length, for holes at its end.
    func extend(to length: UInt64) throws(Failure) {
        guard ftruncate(descriptor, off_t(length)) == 0 else {
            throw Failure(errno: errno, "write a file for the worker", on: place)
        }
    }

    deinit { close(descriptor) }
}
