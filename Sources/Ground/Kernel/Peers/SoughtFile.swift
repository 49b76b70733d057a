public import Base
internal import Glibc

/// A file that somebody asks about, resolved once: symbolic links are followed and relative paths completed here, and
/// from then on its device and inode count.
public struct SoughtFile: Hashable, Sendable {
    /// The path with all links followed, as the kernel tells it.
    public let path: BytePath
    /// Its device and inode; `nil` when there is no such file any more: then only a deleted file of that name is sought.
    public let identity: NodeIdentity?

    /// Takes both parts.
    public init(path: BytePath, identity: NodeIdentity?) {
        self.path = path
        self.identity = identity
    }

    /// Looks the path up without opening the file (O_PATH), so that nobody who watches it is told. The directories on
    /// the way may lie on a filesystem that a process serves: this can block, and is for a thread that may be lost.
    ///
    /// - Throws: `notFound` when not even its directory exists.
    public init(resolving path: BytePath, on host: Host) throws(Failure) {
        self = try SoughtFile.resolved(path, on: host)
    }

    /// O_PATH, which the C library keeps from Swift; the same on x86-64 and arm64 (asm-generic/fcntl.h).
    private static let onlyPath: Int32 = 0o10_000_000

    private static func resolved(_ path: BytePath, on host: Host) throws(Failure) -> SoughtFile {
        var wanted = path
        // As many links as the kernel follows.
        for _ in 0..<40 {
            if let found = try existing(wanted, on: host) { return found }
            let parent = wanted.parent.isEmpty ? BytePath(".") : wanted.parent
            let folder = try Descriptor(opening: parent, onlyPath | O_DIRECTORY, to: finding)
            guard let target = link(wanted.lastComponent, in: folder) else {
                let place = try name(of: folder, on: host) ?? parent
                return SoughtFile(path: place.appending(wanted.lastComponent), identity: nil)
            }
            // A link to a file that is gone: its target is what was meant.
            wanted = target.isAbsolute ? target : parent.appending(target)
        }
        throw Failure(errno: ELOOP, finding, on: path)
    }

    private static func existing(_ path: BytePath, on host: Host) throws(Failure) -> SoughtFile? {
        do throws(Failure) {
            let file = try Descriptor(opening: path, onlyPath, to: finding)
            let identity = try file.identity(of: path)
            return SoughtFile(path: try name(of: file, on: host) ?? path, identity: identity)
        } catch {
            guard error.errno == ENOENT else { throw error }
            return nil
        }
    }

    /// What a failure calls it.
    public static let finding = "find the file"

    private static func name(of file: borrowing Descriptor, on host: Host) throws(Failure) -> BytePath? {
        try ProcessDirectory(ProcessScanner.ownPid, on: host).link("fd/\(file.number)")
    }

    private static func link(_ name: BytePath, in folder: borrowing Descriptor) -> BytePath? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let number = folder.number
        let count = name.withCString { readlinkat(number, $0, &buffer, buffer.count) }
        return count > 0 ? BytePath(buffer[..<count]) : nil
    }

    /// The text of a link of the kernel's to a file of that name that was deleted.
    var deletedName: BytePath { BytePath(path.bytes + Array(" (deleted)".utf8)) }
}
