import Base
import Glibc

/// The directory of a bundle, held open: every name below it is walked component by component from its descriptor, and
/// no symbolic link is followed on the way.
final class BundleDirectory: Sendable {
    let path: BytePath
    private let descriptor: OwnedDescriptor

    /// Makes a new directory with mode 0700; EEXIST when anything stands there.
    init(creating path: BytePath) throws(Failure) {
        guard path.withCString({ mkdir($0, 0o700) }) == 0 else {
            throw Failure(errno: errno, "make the bundle's directory", on: path)
        }
        self.path = path
        descriptor = try .open(path, flags: O_RDONLY | O_DIRECTORY, attempt: "open the bundle's directory")
    }

    /// Opens an existing one; a symbolic link at the end of the path is refused with ELOOP or ENOTDIR.
    init(opening path: BytePath) throws(Failure) {
        self.path = path
        descriptor = try .open(path, flags: O_RDONLY | O_DIRECTORY, attempt: "open the bundle's directory")
    }

    /// Makes a new file with mode 0600 and the directories above it with mode 0700.
    func create(_ name: String) throws(Failure) -> OwnedDescriptor {
        try within(name, makingDirectories: true) { parent, last throws(Failure) -> OwnedDescriptor in
            try .open(last, at: parent, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600, attempt: "make the file")
        }
    }

    /// Adds files with their bytes, all of them whole or none: each is written to disk before the first gets its name, and
    /// what fails takes the names away again. Nothing is ever overwritten.
    ///
    /// - Throws: `system` with EEXIST when one of the names is taken, or another errno.
    func publish(_ files: [(name: String, bytes: [UInt8])]) throws(Failure) {
        var members: [NascentMember] = []
        var named: [NascentMember] = []
        do throws(Failure) {
            for (name, bytes) in files {
                let parent = try within(name, makingDirectories: true) { parent, _ throws(Failure) in
                    try .open(BytePath("."), at: parent, flags: O_RDONLY | O_DIRECTORY, attempt: "open the directory")
                }
                let last = BytePath(subject(name).components.last?.bytes ?? [])
                members.append(try NascentMember(last, in: parent, subject: subject(name), bytes))
            }
            for member in members {
                try member.appear()
                named.append(member)
            }
            for member in members { try member.syncName() }
            try sync("")
        } catch {
            for member in named { member.vanish() }
            // A directory that was made for them goes too; one that holds something stays.
            for (name, _) in files {
                guard let end = name.lastIndex(of: "/") else { continue }
                _ = BytePath(String(name[..<end])).withCString { unlinkat(descriptor.number, $0, AT_REMOVEDIR) }
            }
            throw error
        }
    }
    /// What its file system has free; `nil` when it does not say.
    var room: UInt64? { FreeRoom.of(descriptor: descriptor.number) }

    /// Takes a file away. That there is none is no error.
    func remove(_ name: String) throws(Failure) {
        guard BytePath(name).withCString({ unlinkat(descriptor.number, $0, 0) }) == 0 || errno == ENOENT else {
            throw Failure(errno: errno, "take the file away", on: subject(name))
        }
    }

    /// Opens a regular file for reading; anything else is `malformed`.
    func open(_ name: String) throws(Failure) -> OwnedDescriptor {
        let file = try within(name, makingDirectories: false) { parent, last throws(Failure) -> OwnedDescriptor in
            try .open(last, at: parent, flags: O_RDONLY | O_NONBLOCK, attempt: "open the file")
        }
        let status = try file.status(of: subject(name))
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.malformed, "open the file", on: name, because: "not a regular file")
        }
        return file
    }

    /// Brings a file, or a directory when `name` ends in a slash or is empty, to disk.
    func sync(_ name: String) throws(Failure) {
        if name.isEmpty { return try descriptor.sync(path) }
        if name.hasSuffix("/") {
            let inner = String(name.dropLast())
            let directory = try within(inner, makingDirectories: false) { parent, last throws(Failure) in
                try OwnedDescriptor.open(last, at: parent, flags: O_RDONLY | O_DIRECTORY, attempt: "open the directory")
            }
            return try directory.sync(subject(inner))
        }
        try open(name).sync(subject(name))
    }

    /// The path of a member, for messages.
    func subject(_ name: String) -> BytePath { path.appending(name) }

    private func within(
        _ name: String,
        makingDirectories: Bool,
        _ body: (_ parent: Int32, _ last: BytePath) throws(Failure) -> OwnedDescriptor
    ) throws(Failure) -> OwnedDescriptor {
        var components = name.split(separator: "/").map { BytePath(String($0)) }
        guard let last = components.popLast() else {
            throw Failure(.malformed, "open the file", on: name, because: "the name is empty")
        }
        var parent = try OwnedDescriptor.open(
            BytePath("."),
            at: descriptor.number,
            flags: O_RDONLY | O_DIRECTORY,
            attempt: "open the bundle's directory"
        )
        for component in components {
            if makingDirectories {
                let made = component.withCString { mkdirat(parent.number, $0, 0o700) }
                let problem = errno
                if made != 0, problem != EEXIST { throw Failure(errno: problem, "make the directory", on: component) }
            }
            parent = try .open(
                component,
                at: parent.number,
                flags: O_RDONLY | O_DIRECTORY,
                attempt: "open the directory"
            )
        }
        do throws(Failure) {
            return try body(parent.number, last)
        } catch {
            let named = String(decoding: subject(name).bytes, as: UTF8.self)
            throw Failure(error.code, error.attempt, on: named, because: error.reason, errno: error.errno)
        }
    }
}
