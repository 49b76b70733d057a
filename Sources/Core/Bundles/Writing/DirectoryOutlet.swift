public import Base
import Glibc

/// A bundle as a new directory (0700, files 0600) on a file system of this host.
public final class DirectoryOutlet: BundleOutlet {
    /// The directory.
    public let path: BytePath

    private let directory: BundleDirectory

    /// Makes the directory, which must not exist; its parent must.
    ///
    /// - Throws: `system` with EEXIST when something stands there already, or another errno.
    public init(creating path: BytePath) throws(Failure) {
        self.path = path
        directory = try BundleDirectory(creating: path)
    }

    /// What its file system has free.
    public var room: UInt64? { directory.room }

    /// Begins a file, and makes the directories above it.
    ///
    /// - Throws: `system` with errno.
    public func begin(_ name: String) throws(Failure) -> any OutletFile {
        DirectoryFile(try directory.create(name), at: directory.subject(name))
    }

    /// Everything but the seal, then the directories from the inside out: a seal on disk stands for a bundle on disk.
    ///
    /// - Throws: `system` with errno.
    public func settle(_ names: [String]) throws(Failure) {
        for name in names { try directory.sync(name) }
        var directories: Set<String> = []
        for name in names {
            var components = name.split(separator: "/").dropLast()
            while !components.isEmpty {
                directories.insert(components.joined(separator: "/") + "/")
                components = components.dropLast()
            }
        }
        for name in directories.sorted(by: >) { try directory.sync(name) }
        try directory.sync("")
        try OwnedDescriptor.syncFolder(of: path)
    }

    /// Brings the seal to disk.
    ///
    /// - Throws: `system` with errno.
    public func finish(seal: String) throws(Failure) {
        try directory.sync(seal)
        try directory.sync("")
    }

    /// Gives it the name with `.unsealed` behind it, and takes a seal away that is perhaps not on disk.
    public func abandon() -> OutletRemains {
        var words = "what is there is not sealed"
        for seal in [BundleFiles.seal, BundleFiles.unsignedStatement] {
            do throws(Failure) {
                try directory.remove(seal)
            } catch {
                words = "its seal could not be taken away: \(error.reason)"
            }
        }
        let unsealed = path.unsealed
        let isRenamed = path.withCString { from in unsealed.withCString { to in rename(from, to) } } == 0
        return OutletRemains(place: isRenamed ? unsealed : path, words: words)
    }
}

extension BytePath {
    /// The name of what was given up.
    var unsealed: BytePath { BytePath(bytes + Array(".unsealed".utf8)) }
}

private final class DirectoryFile: OutletFile {
    private let file: OwnedDescriptor
    private let subject: BytePath

    init(_ file: consuming OwnedDescriptor, at subject: BytePath) {
        self.file = file
        self.subject = subject
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) { try file.write(bytes, to: subject) }

    func close() throws(Failure) {
        // Starts writing back and frees the cache of what is on disk already: a capture should not crowd the host's.
        posix_fadvise(file.number, 0, 0, POSIX_FADV_DONTNEED)
    }
}
