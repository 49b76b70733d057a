import Base
import Glibc

/// A file of a bundle that gets its name only when it is whole and on disk. Where the file system knows no files without a
/// name it has one of ``BundleFiles/unfinished`` meanwhile, which verification names for what it is.
final class NascentMember {
    private let directory: OwnedDescriptor
    private let file: OwnedDescriptor
    private let name: BytePath
    private let subject: BytePath
    private let meanwhile: BytePath?

    /// Makes the file `name` of `directory` with its bytes, mode 0600, without giving it the name.
    init(
        _ name: BytePath,
        in directory: consuming OwnedDescriptor,
        subject: BytePath,
        _ bytes: [UInt8]
    ) throws(Failure) {
        self.directory = directory
        self.name = name
        self.subject = subject
        let number = self.directory.number
        do throws(Failure) {
            let flags = NascentFile.unnamed | O_WRONLY
            file = try .open(BytePath("."), at: number, flags: flags, mode: 0o600, attempt: "make the file")
            meanwhile = nil
        } catch {
            guard error.errno == EOPNOTSUPP || error.errno == EISDIR else { throw error }
            let other = BytePath(Array(BundleFiles.unfinished.utf8) + name.bytes)
            let flags = O_WRONLY | O_CREAT | O_EXCL
            file = try .open(other, at: number, flags: flags, mode: 0o600, attempt: "make the file")
            meanwhile = other
        }
        try bytes.withRawBytes { buffer throws(Failure) in try file.write(buffer, to: subject) }
        try file.sync(subject)
    }

    deinit {
        if let meanwhile { _ = meanwhile.withCString { unlinkat(directory.number, $0, 0) } }
    }

    /// Gives it its name; EEXIST when something has it.
    func appear() throws(Failure) {
        let source = meanwhile ?? BytePath("/proc/self/fd/\(file.number)")
        let follow = meanwhile == nil ? AT_SYMLINK_FOLLOW : 0
        let linked = source.withCString { old in
            name.withCString { linkat(directory.number, old, directory.number, $0, follow) }
        }
        guard linked == 0 else { throw Failure(errno: errno, "give the file its name", on: subject) }
    }

    /// Takes the name away again.
    func vanish() { _ = name.withCString { unlinkat(directory.number, $0, 0) } }

    /// Brings the name to disk.
    func syncName() throws(Failure) { try directory.sync(subject) }
}
