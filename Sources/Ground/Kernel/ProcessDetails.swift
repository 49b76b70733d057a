public import Base
internal import Glibc

/// What may block on a page that the session serves (FUSE, userfaultfd) or touches what it can watch: never read before
/// the session is frozen (RT7, RT13).
extension ProcessDirectory {
    /// The arguments as bytes; empty for a kernel thread and for a zombie.
    public func arguments(limit: Int = 1 << 20) throws(Failure) -> [BytePath] {
        ProcessDirectory.strings(try read("cmdline", limit: limit))
    }

    /// The names of the environment variables; the values, which hold secrets, are dropped here. An entry without `=`
    /// counts as a name only when it has the form of one (letters, digits, underscore), because a process can write
    /// anything there.
    public func environmentNames(limit: Int = 1 << 20) throws(Failure) -> [BytePath] {
        ProcessDirectory.strings(try read("environ", limit: limit)).compactMap { entry in
            if let equals = entry.bytes.firstIndex(of: UInt8(ascii: "=")) { return BytePath(entry.bytes[..<equals]) }
            return nil
        }
    }

    /// The value of one environment variable, or `nil`; the caller treats it as hostile and as a secret.
    public func environmentValue(_ name: String, limit: Int = 1 << 20) throws(Failure) -> [UInt8]? {
        let prefix = Array(name.utf8) + [UInt8(ascii: "=")]
        let entries = ProcessDirectory.strings(try read("environ", limit: limit))
        return entries.first { $0.bytes.starts(with: prefix) }.map { Array($0.bytes.dropFirst(prefix.count)) }
    }

    /// The path of the executable as the kernel tells it, ` (deleted)` appended by the kernel when it was unlinked;
    /// `nil` for kernel threads and zombies.
    public func executable() throws(Failure) -> BytePath? { try link("exe") }

    /// The working directory, as above.
    public func workingDirectory() throws(Failure) -> BytePath? { try link("cwd") }

    /// The root directory, as above.
    public func rootDirectory() throws(Failure) -> BytePath? { try link("root") }

    /// The mounts that the process sees.
    public func mounts() throws(Failure) -> MountTable { MountTable(parsing: try read("mountinfo", limit: 16 << 20)) }

    /// The text of a symbolic link of /proc/PID, not followed; `nil` when the kernel has none (ENOENT).
    public func link(_ name: String) throws(Failure) -> BytePath? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlinkat(directory.number, name, &buffer, buffer.count)
        guard count >= 0 else {
            if errno == ENOENT { return nil }
            throw Failure(errno: errno, "read a link of process \(pid)", on: BytePath(name))
        }
        return BytePath(buffer[..<count])
    }

    /// Opens a file of /proc/PID such as `fd/5`, `root`, `task/7/root`, with the given flags.
    ///
    /// Opening a FIFO, terminal, socket or device can block or have effects: use O_PATH first.
    public func open(_ name: String, _ flags: Int32) throws(Failure) -> Descriptor {
        try directory.open(BytePath(name), flags, to: "open \(name) of process \(pid)")
    }

    /// The bytes of a file of /proc/PID such as `maps` or `fdinfo/5`.
    public func contents(_ name: String, limit: Int = 16 << 20) throws(Failure) -> [UInt8] {
        try read(name, limit: limit)
    }

    /// The open descriptors: number, link text, and what fstatat(2) says of the object. A descriptor that was closed
    /// meanwhile is left out.
    public func openFiles() throws(Failure) -> [OpenFile] {
        let path = BytePath("fd")
        let table = try directory.open(path, O_RDONLY | O_DIRECTORY, to: "list the open files of process \(pid)")
        var files: [OpenFile] = []
        for number in try table.numbers(in: path).sorted() {
            guard let target = try link("fd/\(number)") else { continue }
            var facts = Glibc.stat()
            guard fstatat(table.number, String(number), &facts, 0) == 0 else {
                if errno == ENOENT { continue }
                throw Failure(errno: errno, "look at descriptor \(number)", on: BytePath(String(pid)))
            }
            let info: FileDescriptorInfo
            do throws(Failure) {
                info = FileDescriptorInfo(parsing: try read("fdinfo/\(number)"))
            } catch {
                if error.code == .notFound { continue }
                throw error
            }
            files.append(
                OpenFile(
                    number: number,
                    target: target,
                    inode: UInt64(facts.st_ino),
                    device: UInt64(facts.st_dev),
                    mode: facts.st_mode,
                    links: UInt64(facts.st_nlink),
                    size: Int64(facts.st_size),
                    position: info.position,
                    flags: info.flags
                )
            )
        }
        return files
    }

    private static func strings(_ bytes: [UInt8]) -> [BytePath] {
        bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast(bytes.last == 0 ? 1 : 0).map {
            BytePath($0)
        }
    }
}

/// One descriptor of another process.
public struct OpenFile: Hashable, Sendable {
    /// The number in that process.
    public let number: Int32
    /// The link text: a path as the kernel prints it, or `socket:[N]`, `pipe:[N]`, `anon_inode:...`.
    public let target: BytePath
    /// The inode of the object.
    public let inode: UInt64
    /// The device of the object.
    public let device: UInt64
    /// Type and permission bits of the object.
    public let mode: UInt32
    /// Names that the object has; 0 for a regular file that was unlinked.
    public let links: UInt64
    /// Its size in bytes.
    public let size: Int64
    /// The file position.
    public let position: UInt64
    /// The open flags.
    public let flags: UInt32

    /// Whether this is a regular file without a name.
    public var isDeletedFile: Bool { mode & S_IFMT == S_IFREG && links == 0 }
}

/// `pos` and `flags` of /proc/PID/fdinfo/N.
struct FileDescriptorInfo {
    var position: UInt64 = 0
    var flags: UInt32 = 0

    init(parsing bytes: [UInt8]) {
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let words = line.split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
            guard words.count == 2 else { continue }
            if words[0].elementsEqual("pos:".utf8) { position = Decimal.uint64(words[1]) ?? 0 }
            if words[0].elementsEqual("flags:".utf8) {
                flags = UInt32(String(decoding: words[1], as: UTF8.self), radix: 8) ?? 0
            }
        }
    }
}
