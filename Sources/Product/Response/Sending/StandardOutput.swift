import Base
import Bundles
import Glibc
import Kernel

/// Standard output as the place of a bundle. Its reader may take as long as it likes until the capture is to stop.
final class StandardOutput: TarOutlet.Sink {
    /// How it is called in messages.
    static let path = BytePath("standard output")

    private enum Way {
        /// A file of this host; what is written begins at this byte.
        case file(start: UInt64)
        /// A pipe that is open once more, for us alone, without blocking: the first description is shared with others.
        case ownPipe
        case pipe
        case socket
        case other
    }

    private let descriptor: Descriptor
    private let way: Way
    private let patience: Patience

    /// Takes the descriptor `number`, which is not changed.
    init(_ patience: Patience = Patience(), number: Int32 = 1) throws(Failure) {
        self.patience = patience
        var status = stat()
        guard fstat(number, &status) == 0 else {
            throw Failure(errno: errno, "write the bundle", on: StandardOutput.path)
        }
        let kind = status.st_mode & S_IFMT
        if kind == S_IFIFO {
            let again = open("/proc/self/fd/\(number)", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            if again >= 0 {
                descriptor = Descriptor(adopting: again)
                way = .ownPipe
                return
            }
        }
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw Failure(errno: errno, "write the bundle", on: StandardOutput.path) }
        descriptor = Descriptor(adopting: copy)
        switch kind {
        case S_IFREG:
            let isAppended = fcntl(copy, F_GETFL) & O_APPEND != 0
            way = .file(start: UInt64(clamping: isAppended ? status.st_size : lseek(copy, 0, SEEK_CUR)))
        case S_IFIFO: way = .pipe
        case S_IFSOCK: way = .socket
        default: way = .other
        }
    }

    /// The file that standard output is; `nil` when it is none.
    static func file() -> BytePath? {
        var status = stat()
        guard fstat(1, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = target.withUnsafeMutableBytes { buffer in
            buffer.baseAddress.map { readlink("/proc/self/fd/1", $0, buffer.count) } ?? -1
        }
        return count > 0 ? BytePath(Array(target.prefix(count))) : nil
    }

    /// What a file's file system has free. A pipe takes as much as its reader reads.
    var room: UInt64? {
        guard case .file = way else { return nil }
        return FreeRoom.of(descriptor: descriptor.number)
    }

    /// Waits for the reader, and gives up when it takes nothing though the capture is to stop.
    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            guard patience.isReady(descriptor.number, POLLOUT, by: patience.limit()) else {
                let subject = "\(StandardOutput.path)"
                throw Failure(.system, "write the bundle", on: subject, because: "its reader takes nothing any more")
            }
            let count = put(rest)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { throw Failure(errno: errno, "write the bundle", on: StandardOutput.path) }
            patience.took(count)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    private func put(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch way {
        case .file, .ownPipe, .other: return write(descriptor.number, bytes.baseAddress, bytes.count)
        // A pipe that says it is ready has room for a page: so much never waits (pipe(7)).
        case .pipe: return write(descriptor.number, bytes.baseAddress, min(bytes.count, Int(PIPE_BUF)))
        case .socket: return send(descriptor.number, bytes.baseAddress, bytes.count, atOnce)
        }
    }

    /// Brings a file to disk.
    func finish() throws(Failure) {
        guard case .file = way else { return }
        guard fsync(descriptor.number) == 0 else {
            throw Failure(errno: errno, "bring the bundle to disk", on: StandardOutput.path)
        }
    }

    /// Takes the seal out of a file; what a reader has, it has.
    func giveUp(before seal: UInt64?) -> TarOutlet.Remains {
        guard let seal else { return .unsealed(StandardOutput.path) }
        guard case .file(let start) = way, ftruncate(descriptor.number, off_t(start + seal)) == 0 else {
            return .perhapsSealed(StandardOutput.path)
        }
        return .unsealed(StandardOutput.path)
    }
}
