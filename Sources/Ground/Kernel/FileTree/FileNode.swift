public import Base
internal import CLinux
import Glibc

/// One object of a filesystem, held by an O_PATH descriptor: nothing of it has been opened, so holding a FIFO, a device
/// or a file with a lease has no effect on anybody. Children are reached one component at a time with openat2(2) under
/// RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS; no symbolic link is ever followed.
public struct FileNode: ~Copyable {
    private let owned: Descriptor
    private var descriptor: Int32 { owned.number }
    /// How it was reached, for messages only: an absolute path, a link of a process, or for a child its name alone,
    /// because a whole path for each object of a deep tree costs the square of its depth.
    public let subject: BytePath
    /// What statx(2) said when it was taken hold of.
    public let facts: FileFacts

    private init(_ descriptor: consuming Descriptor, subject: BytePath, cachedFacts: Bool = false) throws(Failure) {
        facts = try FileFacts.of(descriptor.number, on: subject, cached: cachedFacts)
        owned = descriptor
        self.subject = subject
    }

    /// Takes hold of the object at an absolute path that a responder or the inventory named. No component of it may be
    /// a symbolic link (RT35); mounts are crossed.
    ///
    /// - Throws: `system` with ELOOP when a component is a symbolic link, `notFound`, `notPermitted`.
    public static func at(_ path: BytePath) throws(Failure) -> FileNode {
        guard path.isAbsolute else {
            throw Failure(.usage, "open the file", on: "\(path)", because: "the path is not absolute")
        }
        let descriptor = path.withCString { start in
            clinux_files_openat2(
                AT_FDCWD,
                start,
                clinux_o_path | clinux_o_nofollow | clinux_o_cloexec,
                clinux_resolve_no_symlinks | clinux_resolve_no_magiclinks
            )
        }
        guard descriptor >= 0 else { throw Failure(errno: errno, "open the file", on: path) }
        return try FileNode(Descriptor(adopting: descriptor), subject: path)
    }

    /// Takes hold of what a magic link such as `fd/5`, `exe` or `task/7/cwd` of a process leads to, whether it has a
    /// name any more or not. The facts are what its filesystem has at hand: a stopped FUSE server cannot hold us.
    ///
    /// - Throws: `notFound` when the process or the link is gone, `notPermitted`.
    public init(_ link: String, of process: borrowing ProcessDirectory) throws(Failure) {
        let held = try process.open(link, Int32(clinux_o_path))
        try self.init(held, subject: BytePath("/proc/\(process.pid)/\(link)"), cachedFacts: true)
    }

    /// Takes hold of the child called `name`, one component. The root of another mount is taken hold of too; its facts
    /// are what its filesystem has at hand, so that a stopped FUSE server cannot hold us, and ``FileFacts/mount`` tells.
    ///
    /// - Throws: `usage` for a name with a slash, `.` or `..`; `notFound`; `system` with ENOTDIR when this is no
    ///   directory.
    public borrowing func child(_ name: BytePath) throws(Failure) -> FileNode {
        guard !name.isEmpty, !name.bytes.contains(UInt8(ascii: "/")), name.bytes != [46], name.bytes != [46, 46] else {
            throw Failure(.usage, "open the child", on: "\(name)", because: "the name is not one component")
        }
        let flags = clinux_o_path | clinux_o_nofollow | clinux_o_cloexec
        let resolve = clinux_resolve_beneath | clinux_resolve_no_symlinks | clinux_resolve_no_magiclinks
        let directory = descriptor
        // RESOLVE_NO_SYMLINKS would refuse the link itself too, unless O_PATH and O_NOFOLLOW are given: openat2(2).
        let (same, problem) = name.withCString { start in
            (clinux_files_openat2(directory, start, flags, resolve | clinux_resolve_no_xdev), errno)
        }
        if same >= 0 { return try FileNode(Descriptor(adopting: same), subject: name) }
        guard problem == EXDEV else { throw Failure(errno: problem, "open the child", on: name) }
        let (other, again) = name.withCString { start in
            (clinux_files_openat2(directory, start, flags, resolve), errno)
        }
        guard other >= 0 else { throw Failure(errno: again, "open the child", on: name) }
        return try FileNode(Descriptor(adopting: other), subject: name, cachedFacts: true)
    }

    /// Takes hold of the directory above. The caller compares ``FileFacts/identity`` with the directory it expects.
    public borrowing func above() throws(Failure) -> FileNode {
        let found = clinux_files_openat(descriptor, "..", clinux_o_path | clinux_o_nofollow | clinux_o_cloexec)
        guard found >= 0 else { throw Failure(errno: errno, "open the directory above", on: subject) }
        return try FileNode(Descriptor(adopting: found), subject: BytePath(".."))
    }

    /// Asks again what the kernel tells of this object, whatever its name is by now.
    public borrowing func factsNow() throws(Failure) -> FileFacts {
        try FileFacts.of(descriptor, on: subject)
    }

    /// The text of a symbolic link (readlinkat(2)), up to PATH_MAX.
    public borrowing func linkTarget() throws(Failure) -> BytePath {
        let buffer = UnsafeMutableBufferPointer<CChar>.allocate(capacity: 4096)
        defer { buffer.deallocate() }
        guard let start = buffer.baseAddress else { return BytePath("") }
        let count = readlinkat(descriptor, "", start, buffer.count)
        guard count >= 0 else { throw Failure(errno: errno, "read the symbolic link", on: subject) }
        return BytePath(buffer.prefix(count).map { UInt8(bitPattern: $0) })
    }

    /// The magic number of its filesystem (statfs(2)); 0 when the kernel does not tell.
    public borrowing func filesystem() -> UInt64 { clinux_files_filesystem(descriptor) }

    /// Whether its filesystem is served by a process that may be frozen (FUSE). Reading from such a one can hang.
    public borrowing func isServedByProcess() -> Bool { filesystem() == 0x6573_5546 }

    /// Opens the content of a regular file; of any other kind nothing is ever opened.
    ///
    /// - Throws: `refused` when it is no regular file; `system` with EAGAIN when somebody holds a lease on it (RT30).
    public borrowing func content() throws(Failure) -> FileContent {
        guard facts.kind == .file else {
            throw Failure(.refused, "read the file", on: "\(subject)", because: "it is a \(facts.kind.rawValue)")
        }
        return try FileContent(reopening: descriptor, facts: facts, subject: subject)
    }

    /// Up to `limit` names of this directory, the smallest by bytes that come after `last`.
    ///
    /// - Throws: `system` with ENOTDIR when this is no directory.
    public borrowing func names(after last: BytePath?, limit: Int) throws(Failure) -> FileNames {
        let flags = clinux_o_directory | clinux_o_nofollow | clinux_o_cloexec
        var opened = clinux_files_openat(descriptor, ".", flags | clinux_o_noatime)
        if opened < 0, errno == EPERM { opened = clinux_files_openat(descriptor, ".", flags) }
        guard opened >= 0 else { throw Failure(errno: errno, "list the directory", on: subject) }
        defer { close(opened) }
        return try FileNames(of: opened, subject: subject, after: last, limit: limit)
    }

    /// The extended attributes, at most `limit` bytes of names and values together.
    public borrowing func attributes(limit: Int) throws(Failure) -> FileAttributes {
        try FileAttributes(of: descriptor, subject: subject, limit: limit)
    }
}
