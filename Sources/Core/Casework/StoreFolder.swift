import Base
import Glibc

/// Folders of the store: 0700 and ours, or refused (RT41).
enum StoreFolder {
    /// Makes one folder, 0700 whatever the umask. One that exists is not an error.
    static func make(_ path: BytePath) throws(Failure) {
        guard path.withCString({ mkdir($0, 0o700) }) != 0 else { return }
        let number = errno
        guard number == EEXIST else { throw Failure(errno: number, "make the folder", on: path) }
    }

    /// Makes a folder and those above it.
    static func makeAll(_ path: BytePath) throws(Failure) {
        var grown = BytePath(path.isAbsolute ? "/" : "")
        for component in path.components {
            grown = grown.appending(component)
            try make(grown)
        }
    }

    /// Makes one folder that must not have been there; gives whether it was made.
    static func makeNew(_ path: BytePath) throws(Failure) -> Bool {
        guard path.withCString({ mkdir($0, 0o700) }) != 0 else { return true }
        let number = errno
        guard number == EEXIST else { throw Failure(errno: number, "make the folder", on: path) }
        return false
    }

    /// Refuses a folder that is none, that somebody else owns, or that others can open.
    static func check(_ path: BytePath, hint: String) throws(Failure) {
        var status = stat()
        guard path.withCString({ lstat($0, &status) }) == 0 else {
            throw Failure(errno: errno, "open the store", on: path, hint: hint)
        }
        let text = String(decoding: path.bytes, as: UTF8.self)
        func refusal(_ reason: String, _ hint: String? = nil) -> Failure {
            Failure(.refused, "open the store", on: text, because: reason, hint: hint)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw refusal("not a folder") }
        guard status.st_uid == geteuid() else {
            throw refusal("owned by uid \(status.st_uid), not by uid \(geteuid())")
        }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw refusal("others can open it (mode 0\(mode))", "chmod 700 and the path of the store")
        }
    }

    /// The names in a folder, sorted; an absent folder has none.
    static func names(in path: BytePath) throws(Failure) -> [BytePath] {
        guard let stream = path.withCString({ opendir($0) }) else {
            let number = errno
            if number == ENOENT { return [] }
            throw Failure(errno: number, "list the folder", on: path)
        }
        defer { closedir(stream) }
        var names: [BytePath] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                let number = errno
                if number != 0 { throw Failure(errno: number, "list the folder", on: path) }
                break
            }
            let name = withUnsafeBytes(of: entry.pointee.d_name) { BytePath($0) }
            if name != BytePath("."), name != BytePath("..") { names.append(name) }
        }
        return names.sorted()
    }

    /// Makes the names in a folder durable.
    static func sync(_ path: BytePath) throws(Failure) {
        let folder = path.withCString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard folder >= 0 else { throw Failure(errno: errno, "open the folder", on: path) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw Failure(errno: errno, "sync the folder", on: path) }
    }

    /// Whether there is anything at `path`.
    ///
    /// - Throws: why that cannot be told, such as a folder above that may not be looked into.
    static func isThere(_ path: BytePath) throws(Failure) -> Bool {
        var status = stat()
        if path.withCString({ lstat($0, &status) }) == 0 { return true }
        let number = errno
        guard number == ENOENT else { throw Failure(errno: number, "open the store", on: path) }
        return false
    }

    static func exists(_ path: BytePath) -> Bool { path.withCString { access($0, F_OK) } == 0 }
}
