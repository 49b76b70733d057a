import Base
import Glibc

/// A new file that gets its name only when it is whole: what a crash, a failure or a kill leaves of it is nothing. Where the
/// file system knows no files without a name, it has its name at once and loses it when it is not published.
final class NascentFile {
    /// How many names are tried for what did not become whole.
    private static let mostNames = 100

    let path: BytePath
    let descriptor: OwnedDescriptor
    /// The name that it has at present.
    private var name: BytePath?
    private var isToStay = false

    /// `attempt` is what failures say was tried.
    init(for path: BytePath, attempt: String) throws(Failure) {
        self.path = path
        var status = stat()
        if path.withCString({ lstat($0, &status) }) == 0 { throw Failure(errno: EEXIST, attempt, on: path) }
        do throws(Failure) {
            let flags = NascentFile.unnamed | O_WRONLY
            descriptor = try .open(path.folder, flags: flags, mode: 0o600, attempt: attempt)
        } catch {
            guard error.errno == EOPNOTSUPP || error.errno == EISDIR || error.errno == ELOOP else { throw error }
            descriptor = try .open(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600, attempt: attempt)
            name = path
        }
    }

    deinit {
        if let name, !isToStay { _ = name.withCString { unlink($0) } }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) { try descriptor.write(bytes, to: path) }

    /// Brings it to disk, gives it its name and brings that to disk: until then it goes when this object goes.
    ///
    /// - Throws: `system` with EEXIST when something stands there by now, or another errno.
    func publish() throws(Failure) {
        try descriptor.sync(path)
        try take(path)
        try OwnedDescriptor.syncFolder(of: path)
        isToStay = true
    }

    /// Lets what did not become whole stay: under the name `wanted`, or the first of `wanted.2`, `wanted.3` that is free.
    ///
    /// - Returns: the name.
    /// - Throws: `system` with EEXIST when a hundred of them are taken, or another errno.
    func keep(as wanted: BytePath) throws(Failure) -> BytePath {
        var number = 1
        while true {
            let name = number == 1 ? wanted : BytePath(wanted.bytes + Array(".\(number)".utf8))
            do throws(Failure) {
                try take(name)
                isToStay = true
                return name
            } catch {
                guard error.errno == EEXIST, number < NascentFile.mostNames else { throw error }
                number += 1
            }
        }
    }

    /// Takes away what stands at the byte `size` and behind it.
    ///
    /// - Throws: `system` with errno.
    func cut(to size: UInt64) throws(Failure) {
        guard ftruncate(descriptor.number, off_t(size)) == 0 else {
            throw Failure(errno: errno, "cut the file", on: path)
        }
    }

    /// Gives it a name that is free, instead of the one that it has.
    private func take(_ wanted: BytePath) throws(Failure) {
        if name == wanted { return }
        let result =
            if let name {
                NascentFile.move(name, to: wanted)
            } else {
                BytePath("/proc/self/fd/\(descriptor.number)").withCString { source in
                    wanted.withCString { linkat(AT_FDCWD, source, AT_FDCWD, $0, AT_SYMLINK_FOLLOW) }
                }
            }
        guard result == 0 else { throw Failure(errno: errno, "give the file its name", on: wanted) }
        name = wanted
    }

    private static func move(_ old: BytePath, to new: BytePath) -> Int32 {
        old.withCString { from in
            new.withCString { to in
                if link(from, to) == 0 { return unlink(from) }
                // A file system such as FAT, where nothing has two names: what stands at the name is looked for first.
                guard errno == EPERM || errno == EOPNOTSUPP else { return -1 }
                var status = stat()
                if lstat(to, &status) == 0 {
                    errno = EEXIST
                    return -1
                }
                return rename(from, to)
            }
        }
    }

    /// O_TMPFILE of open(2), which the Glibc module lacks: the same bit on all Linux ports that Quell knows.
    static let unnamed: Int32 = 0o20_000_000 | O_DIRECTORY
}

extension BytePath {
    /// The folder that a file of this path lies in, as open(2) takes it.
    var folder: BytePath { parent.isEmpty ? BytePath(".") : parent }
}

extension OwnedDescriptor {
    /// Waits until the names in the folder of `path` are on disk.
    static func syncFolder(of path: BytePath) throws(Failure) {
        let flags = O_RDONLY | O_DIRECTORY
        try open(path.folder, flags: flags, attempt: "open the directory").sync(path.folder)
    }
}
