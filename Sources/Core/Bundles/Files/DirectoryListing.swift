import Base
import Glibc

/// What lies in a directory tree, for the check that a bundle has exactly the files it should have.
struct DirectoryListing {
    /// One object that is no directory, or a directory that is empty.
    struct Item {
        /// The name relative to the bundle.
        let name: BytePath
        /// `st_mode`.
        let mode: mode_t
        /// Bytes, of regular files.
        let size: UInt64
    }

    /// More objects than any bundle has: the listing ends there.
    static let limit = 1_000_000

    private(set) var items: [Item] = []

    /// Walks the tree below `path` without following links.
    init(of path: BytePath) throws(Failure) {
        let root = try OwnedDescriptor.open(path, flags: O_RDONLY | O_DIRECTORY, attempt: "list the bundle")
        try list(root, name: BytePath(""), depth: 0)
        items.sort { $0.name < $1.name }
    }

    private mutating func list(_ directory: borrowing OwnedDescriptor, name: BytePath, depth: Int) throws(Failure) {
        guard depth < 16 else {
            throw Failure(.notVerified, "list the bundle", on: "\(name)", because: "nested deeper than any bundle is")
        }
        for entry in try Self.names(in: directory, called: name) {
            let inner = name.appending(entry)
            var status = stat()
            let result = entry.withCString { fstatat(directory.number, $0, &status, AT_SYMLINK_NOFOLLOW) }
            guard result == 0 else { throw Failure(errno: errno, "look at the file", on: inner) }
            guard items.count < Self.limit else {
                throw Failure(.notVerified, "list the bundle", on: "\(name)", because: "more than \(Self.limit) files")
            }
            guard status.st_mode & S_IFMT == S_IFDIR else {
                items.append(Item(name: inner, mode: status.st_mode, size: UInt64(clamping: status.st_size)))
                continue
            }
            let before = items.count
            let child = try OwnedDescriptor.open(
                entry,
                at: directory.number,
                flags: O_RDONLY | O_DIRECTORY,
                attempt: "list the directory"
            )
            try list(child, name: inner, depth: depth + 1)
            if items.count == before { items.append(Item(name: inner, mode: status.st_mode, size: 0)) }
        }
    }

    private static func names(in directory: borrowing OwnedDescriptor, called name: BytePath) throws(Failure)
        -> [BytePath]
    {
        let copy = dup(directory.number)
        guard copy >= 0, let stream = fdopendir(copy) else {
            let problem = errno
            if copy >= 0 { close(copy) }
            throw Failure(errno: problem, "list the directory", on: name)
        }
        defer { closedir(stream) }
        var names: [BytePath] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                let problem = errno
                if problem != 0 { throw Failure(errno: problem, "list the directory", on: name) }
                return names
            }
            let found = withUnsafeBytes(of: &entry.pointee.d_name) { BytePath($0) }
            if found != BytePath("."), found != BytePath("..") { names.append(found) }
            guard names.count <= limit else { return names }
        }
    }
}
