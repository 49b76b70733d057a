public import Base
import Glibc

/// Whose word a configuration file may carry.
public struct TrustedOwners: Hashable, Sendable {
    /// The uids that may own the file and every directory above it.
    public let uids: Set<UInt32>

    /// Takes the uids.
    public init(_ uids: Set<UInt32>) { self.uids = uids }

    /// Root alone when this process is root, else root and the user that it runs as.
    public static func current() -> TrustedOwners {
        let user = geteuid()
        return TrustedOwners(user == 0 ? [0] : [0, user])
    }
}

/// Reads configuration only from where nobody else can write (RT21): an absolute path, walked one component at a time
/// from the root without following any symbolic link, every directory and the file owned by a trusted user and writable
/// by no other. A directory with the sticky bit, such as /tmp, may be writable by others, because what a trusted user
/// owns in it can be neither replaced nor renamed by them (inode(7)).
public enum TrustedFile {
    /// The bytes of a regular file of at most `limit` bytes. A missing file is ``Base/Failure/Code/notFound``, a path
    /// that others can write ``Base/Failure/Code/refused``.
    public static func read(
        _ path: BytePath,
        owners: TrustedOwners = .current(),
        limit: Int = DocumentLimits.standard.bytes,
        to attempt: String = "read the file"
    ) throws(Failure) -> [UInt8] {
        let walk = try TrustedWalk(path, owners: owners, attempt: attempt)
        return try walk.contents(limit: limit)
    }

    /// The bytes of a regular file that a person named: any path, any owner. Symbolic links are followed.
    public static func readExplicit(
        _ path: BytePath,
        limit: Int = DocumentLimits.standard.bytes,
        to attempt: String = "read the file"
    ) throws(Failure) -> [UInt8] {
        try TrustedWalk(explicit: path, attempt: attempt).contents(limit: limit)
    }

    /// The names of the regular files directly in a trusted directory, sorted by bytes. A missing directory is
    /// ``Base/Failure/Code/notFound``.
    public static func names(
        in directory: BytePath,
        owners: TrustedOwners = .current(),
        to attempt: String = "list the directory"
    ) throws(Failure) -> [BytePath] {
        let walk = try TrustedWalk(directory, owners: owners, attempt: attempt)
        return try walk.names()
    }
}

/// A walk to one file or directory; it owns one descriptor at a time.
private final class TrustedWalk {
    private let path: BytePath
    private let owners: TrustedOwners
    private let attempt: String
    private var descriptor: Int32

    init(_ path: BytePath, owners: TrustedOwners, attempt: String) throws(Failure) {
        guard path.isAbsolute else {
            throw Failure(
                .refused,
                attempt,
                on: String(decoding: path.bytes, as: UTF8.self),
                because: "the path is not absolute, and the working directory decides nothing here"
            )
        }
        self.path = path
        self.owners = owners
        self.attempt = attempt
        descriptor = open("/", pathOnly | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(errno: errno, attempt, on: BytePath("/")) }
        var walked = BytePath("/")
        try trust(walked, isLast: path.components.isEmpty)
        for (index, component) in path.components.enumerated() {
            walked = walked.appending(component)
            try step(to: component, walked: walked)
            try trust(walked, isLast: index == path.components.count - 1)
        }
    }

    /// Holds a file that was named by a person, without any trust.
    init(explicit path: BytePath, attempt: String) throws(Failure) {
        self.path = path
        self.owners = TrustedOwners([])
        self.attempt = attempt
        descriptor = path.withCString { open($0, pathOnly | O_CLOEXEC) }
        guard descriptor >= 0 else { throw Failure(errno: errno, attempt, on: path) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func contents(limit: Int) throws(Failure) -> [UInt8] {
        let facts = try facts(walkedTo: path)
        guard facts.st_mode & S_IFMT == S_IFREG else { throw refused(path, "it is not a regular file") }
        try reopen(O_RDONLY | O_NONBLOCK)
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
            }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Failure(errno: errno, attempt, on: path) }
            if count == 0 { break }
            filled += count
        }
        guard filled <= limit else {
            throw Failure(
                .malformed,
                attempt,
                on: String(decoding: path.bytes, as: UTF8.self),
                because: "it has more than the \(limit) bytes that are allowed"
            )
        }
        return Array(bytes[..<filled])
    }

    func names() throws(Failure) -> [BytePath] {
        try reopen(O_RDONLY | O_DIRECTORY)
        guard let stream = fdopendir(descriptor) else { throw Failure(errno: errno, attempt, on: path) }
        descriptor = -1
        defer { closedir(stream) }
        var names: [BytePath] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                let number = errno
                if number != 0 { throw Failure(errno: number, attempt, on: path) }
                break
            }
            // A file system that does not tell types hides none: whoever opens the name sees what it is.
            let type = Int32(entry.pointee.d_type)
            guard type == DT_REG || type == DT_UNKNOWN else { continue }
            names.append(withUnsafeBytes(of: entry.pointee.d_name) { BytePath($0) })
        }
        return names.sorted()
    }

    private func step(to component: BytePath, walked: BytePath) throws(Failure) {
        guard component != BytePath(".."), component != BytePath(".") else {
            throw refused(walked, "the path has . or .. in it")
        }
        let parent = descriptor
        let next = component.withCString { openat(parent, $0, pathOnly | O_NOFOLLOW | O_CLOEXEC) }
        guard next >= 0 else { throw Failure(errno: errno, attempt, on: walked) }
        close(parent)
        descriptor = next
    }

    private func trust(_ walked: BytePath, isLast: Bool) throws(Failure) {
        let facts = try facts(walkedTo: walked)
        guard facts.st_mode & S_IFMT != S_IFLNK else { throw refused(walked, "it is a symbolic link") }
        guard owners.uids.contains(facts.st_uid) else {
            throw refused(walked, "its owner, uid \(facts.st_uid), is not trusted")
        }
        let isSticky = facts.st_mode & S_ISVTX != 0 && !isLast
        guard facts.st_mode & (S_IWGRP | S_IWOTH) == 0 || isSticky else {
            throw refused(walked, "others than its owner can write it")
        }
    }

    private func facts(walkedTo walked: BytePath) throws(Failure) -> stat {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw Failure(errno: errno, attempt, on: walked) }
        return facts
    }

    /// Turns the path descriptor into one that reads, without looking the name up again.
    private func reopen(_ flags: Int32) throws(Failure) {
        let readable = open("/proc/self/fd/\(descriptor)", flags | O_CLOEXEC)
        guard readable >= 0 else { throw Failure(errno: errno, attempt, on: path) }
        close(descriptor)
        descriptor = readable
    }

    private func refused(_ walked: BytePath, _ reason: String) -> Failure {
        Failure(
            .refused,
            attempt,
            on: String(decoding: walked.bytes, as: UTF8.self),
            because: reason,
            hint: "keep it where only root can write, owned by root, mode 0644 or less"
        )
    }
}

/// O_PATH of open(2), which the Glibc module lacks; the same on x86-64 and arm64.
private let pathOnly: Int32 = 0o10_000_000
