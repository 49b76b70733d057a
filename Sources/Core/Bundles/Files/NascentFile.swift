import Base
import Glibc

/// A new file that gets its name only when it is whole: what a crash, a failure or a kill leaves of it is nothing. Where the
/// file system knows no files without a name, it has its name at once and loses it when it is not published.
final class NascentFile {
    let path: BytePath
    let descriptor: OwnedDescriptor
    private let isNamed: Bool
    private var isPublished = false

    /// `attempt` is what failures say was tried.
    init(for path: BytePath, attempt: String) throws(Failure) {
        self.path = path
        var status = stat()
        if path.withCString({ lstat($0, &status) }) == 0 { throw Failure(errno: EEXIST, attempt, on: path) }
        let parent = path.parent.isEmpty ? BytePath(".") : path.parent
        do throws(Failure) {
            descriptor = try .open(parent, flags: NascentFile.unnamed | O_WRONLY, mode: 0o600, attempt: attempt)
            isNamed = false
        } catch {
            guard error.errno == EOPNOTSUPP || error.errno == EISDIR || error.errno == ELOOP else { throw error }
            descriptor = try .open(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600, attempt: attempt)
            isNamed = true
        }
    }

    deinit {
        if isNamed, !isPublished { _ = path.withCString { unlink($0) } }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) { try descriptor.write(bytes, to: path) }

    /// Brings it to disk and gives it its name.
    ///
    /// - Throws: `system` with EEXIST when something stands there by now, or another errno.
    func publish() throws(Failure) {
        try descriptor.sync(path)
        try publish(as: path)
    }

    /// Gives it a name, its own or another one, for what did not become whole.
    ///
    /// - Throws: as ``publish()``.
    func publish(as name: BytePath) throws(Failure) {
        if !isNamed {
            let linked = BytePath("/proc/self/fd/\(descriptor.number)").withCString { source in
                name.withCString { linkat(AT_FDCWD, source, AT_FDCWD, $0, AT_SYMLINK_FOLLOW) }
            }
            guard linked == 0 else { throw Failure(errno: errno, "give the file its name", on: name) }
        } else if name != path {
            let moved = path.withCString { from in name.withCString { link(from, $0) } }
            guard moved == 0 else { throw Failure(errno: errno, "give the file its name", on: name) }
            // The name that it had from the start goes with this object.
            return
        }
        isPublished = true
    }

    /// O_TMPFILE of open(2), which the Glibc module lacks: the same bit on all Linux ports that Quell knows.
    static let unnamed: Int32 = 0o20_000_000 | O_DIRECTORY
}
