public import Base
import Glibc

/// The directory that an extraction fills: new, or empty. Everything below it is reached one component at a time from a
/// descriptor, without following a link and without `..`, so that no name leads out of it.
public final class ExtractionTarget {
    /// Where it lies.
    public let path: BytePath
    private let root: OwnedDescriptor
    /// The directory reached last: names of one directory come together.
    private var folder: OwnedDescriptor
    private var folderPath = BytePath("")

    /// Whether this is the directory that was named, which stays for its owner alone; else one for a root in it.
    let isOutermost: Bool

    /// Makes the directory, or takes one that is empty; its parent must exist. It gets mode 0700 in either case, whatever the
    /// umask is and whoever could enter it before: what comes out of a bundle is hostile, and may be secret.
    ///
    /// - Throws: `refused` when something lies in it, or it is somebody else's; ELOOP or ENOTDIR for a link or a file; another
    ///   errno.
    public convenience init(at path: BytePath) throws(Failure) {
        if path.withCString({ mkdir($0, 0o700) }) != 0, errno != EEXIST {
            throw Failure(errno: errno, "make the directory", on: path)
        }
        let root = try OwnedDescriptor.open(path, flags: O_RDONLY | O_DIRECTORY, attempt: "open the directory")
        let refusal = { (reason: String) -> Failure in
            let subject = String(decoding: path.bytes, as: UTF8.self)
            return Failure(.refused, "extract into the directory", on: subject, because: reason)
        }
        guard try root.status(of: path).st_uid == geteuid() else {
            throw refusal("it is somebody else's: give a new one, or one of your own")
        }
        guard fchmod(root.number, 0o700) == 0 else {
            throw Failure(errno: errno, "keep the directory to its owner", on: path)
        }
        // Looked at when nobody else can put anything into it any more.
        guard try DirectoryListing(of: path).items.isEmpty else {
            throw refusal("it is not empty, and nothing is ever overwritten")
        }
        try self.init(path, root, isOutermost: true)
    }

    private init(_ path: BytePath, _ root: consuming OwnedDescriptor, isOutermost: Bool) throws(Failure) {
        self.path = path
        self.isOutermost = isOutermost
        self.root = root
        folder = try .open(
            BytePath("."),
            at: self.root.number,
            flags: ExtractionTarget.walk,
            attempt: "open the target"
        )
    }

    /// Makes a directory in it, for one of several roots.
    ///
    /// - Throws: `system` with EEXIST when it stands there already.
    public func subdirectory(_ name: BytePath) throws(Failure) -> ExtractionTarget {
        try within(name) { parent, last throws(Failure) in try makeDirectory(last, at: parent, path: name) }
        let inner = try OwnedDescriptor.open(
            name,
            at: root.number,
            flags: ExtractionTarget.walk,
            attempt: "open the target"
        )
        return try ExtractionTarget(path.appending(name), inner, isOutermost: false)
    }

    /// Makes a directory for us alone; what it is to be comes when everything lies in it.
    func makeDirectory(_ path: BytePath) throws(Failure) {
        try within(path) { parent, last throws(Failure) in try makeDirectory(last, at: parent, path: path) }
    }

    private func makeDirectory(_ last: BytePath, at parent: Int32, path: BytePath) throws(Failure) {
        guard last.withCString({ mkdirat(parent, $0, 0o700) }) == 0 else {
            throw Failure(errno: errno, "make the directory", on: path)
        }
    }

    /// Makes the directories of a name of Quell's own, those that are there already included.
    func makeDirectories(above path: BytePath) throws(Failure) {
        var made = BytePath("")
        for component in path.components.dropLast() {
            made = made.appending(component)
            do throws(Failure) {
                try makeDirectory(made)
            } catch {
                guard error.errno == EEXIST else { throw error }
            }
        }
    }

    /// Makes a new file with mode 0600.
    func makeFile(_ path: BytePath) throws(Failure) -> OwnedDescriptor {
        let number = try within(path) { parent, last throws(Failure) -> Int32 in
            let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
            let number = last.withCString { openat(parent, $0, flags, 0o600) }
            guard number >= 0 else { throw Failure(errno: errno, "make the file", on: path) }
            return number
        }
        return OwnedDescriptor(number)
    }

    /// Takes away a file that could not be written to its end; one that was never made is no error.
    func remove(_ path: BytePath) {
        do throws(Failure) {
            try within(path) { parent, last throws(Failure) in _ = last.withCString { unlinkat(parent, $0, 0) } }
        } catch {
            // Its directory cannot be entered: then no file was made there either.
        }
    }

    /// A directory or file that was made before, to set what it is to be.
    func open(_ path: BytePath, flags: Int32) throws(Failure) -> OwnedDescriptor {
        if path.isEmpty {
            return try .open(BytePath("."), at: root.number, flags: flags, attempt: "open the directory")
        }
        let number = try within(path) { parent, last throws(Failure) -> Int32 in
            let number = last.withCString { openat(parent, $0, flags | O_NOFOLLOW | O_CLOEXEC) }
            guard number >= 0 else { throw Failure(errno: errno, "open it again", on: path) }
            return number
        }
        return OwnedDescriptor(number)
    }

    /// Gives the file at `original` a further name.
    func link(_ original: BytePath, to path: BytePath) throws(Failure) {
        let (above, name) = ExtractionTarget.split(original)
        let source = try directory(above)
        try within(path) { parent, last throws(Failure) in
            let made = name.withCString { old in last.withCString { linkat(source.number, old, parent, $0, 0) } }
            guard made == 0 else { throw Failure(errno: errno, "make the hard link", on: path) }
        }
    }

    /// Calls `body` with the directory that `path` lies in and its last component.
    @discardableResult
    func within<Result>(
        _ path: BytePath,
        _ body: (_ parent: Int32, _ last: BytePath) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let (above, last) = ExtractionTarget.split(path)
        try ExtractionTarget.requireName(last, in: path)
        if above != folderPath {
            let (grandparent, name) = ExtractionTarget.split(above)
            if grandparent == folderPath, !name.isEmpty {
                try ExtractionTarget.requireName(name, in: path)
                folder = try .open(
                    name,
                    at: folder.number,
                    flags: ExtractionTarget.walk,
                    attempt: "enter the directory"
                )
            } else {
                folder = try directory(above)
            }
            folderPath = above
        }
        return try body(folder.number, last)
    }

    private func directory(_ path: BytePath) throws(Failure) -> OwnedDescriptor {
        var reached = try OwnedDescriptor.open(
            BytePath("."),
            at: root.number,
            flags: ExtractionTarget.walk,
            attempt: "enter the directory"
        )
        for component in path.components {
            try ExtractionTarget.requireName(component, in: path)
            reached = try .open(
                component,
                at: reached.number,
                flags: ExtractionTarget.walk,
                attempt: "enter the directory"
            )
        }
        return reached
    }

    private static let walk = O_RDONLY | O_DIRECTORY

    /// What stands before the last slash, and behind it.
    private static func split(_ path: BytePath) -> (above: BytePath, last: BytePath) {
        guard let slash = path.bytes.lastIndex(of: UInt8(ascii: "/")) else { return (BytePath(""), path) }
        return (BytePath(path.bytes[..<slash]), BytePath(path.bytes[(slash + 1)...]))
    }

    private static func requireName(_ name: BytePath, in path: BytePath) throws(Failure) {
        let isName = !name.isEmpty && name != BytePath(".") && name != BytePath("..")
        guard isName, !name.bytes.contains(UInt8(ascii: "/")) else {
            let subject = String(decoding: path.bytes, as: UTF8.self)
            throw Failure(.refused, "extract the entry", on: subject, because: "the path leads out of the target")
        }
    }
}
