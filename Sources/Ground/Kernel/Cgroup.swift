public import Base
internal import CLinux
internal import Glibc

/// One cgroup directory, held open: whatever is done through it is done to this very directory (its inode), not to
/// another one that got its name. Sources: cgroups(7), Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/freezer.
public final class Cgroup: Sendable {
    /// The hierarchy it stands in.
    public let hierarchy: CgroupHierarchy
    /// The path below the root of the hierarchy, with a leading slash, at the time of opening.
    public let path: BytePath
    /// The inode of the directory.
    public let inode: UInt64
    let directory: Descriptor

    /// Opens a cgroup by path. Symbolic links and `..` are refused by the kernel (openat2: BENEATH, NO_SYMLINKS).
    public init(_ path: BytePath, in hierarchy: CgroupHierarchy) throws(Failure) {
        let components = path.components
        let relative = components.isEmpty ? BytePath(".") : BytePath(joining: components)
        do throws(Failure) {
            directory = try hierarchy.root.descriptor.open(
                relative,
                O_RDONLY | O_DIRECTORY,
                resolving: [.beneath, .noSymlinks, .noMagicLinks],
                to: "find the cgroup"
            )
        } catch {
            throw Failure(
                error.code,
                "find the cgroup",
                on: String(decoding: path.bytes, as: UTF8.self),
                because: error.reason,
                errno: error.errno
            )
        }
        self.hierarchy = hierarchy
        self.path = components.isEmpty ? BytePath("/") : BytePath([47] + relative.bytes)
        inode = try directory.identity(of: path).inode
    }

    /// Takes an open directory of the hierarchy.
    init(_ directory: consuming Descriptor, at path: BytePath, in hierarchy: CgroupHierarchy) throws(Failure) {
        inode = try directory.identity(of: path).inode
        self.directory = directory
        self.hierarchy = hierarchy
        self.path = path
    }

    /// Opens a pinned cgroup; another directory under the same name is ``Base/Failure/Code/changed`` (RT34).
    public convenience init(_ pin: CgroupPin, on host: Host) throws(Failure) {
        guard let hierarchy = host.hierarchy(named: pin.hierarchy) else {
            throw Failure(
                .notFound,
                "find the cgroup",
                on: String(decoding: pin.path.bytes, as: UTF8.self),
                because: "the hierarchy \(pin.hierarchy) is not mounted"
            )
        }
        try self.init(pin.path, in: hierarchy)
        guard inode == pin.inode else {
            throw Failure(
                .changed,
                "find the cgroup",
                on: String(decoding: pin.path.bytes, as: UTF8.self),
                because: "it was removed and made anew"
            )
        }
    }

    /// The cgroup as it is pinned.
    public var pin: CgroupPin { CgroupPin(hierarchy: hierarchy.name, path: path, inode: inode) }

    /// The cgroup as a line of /proc/PID/cgroup names it.
    public var line: CgroupLine { CgroupLine(hierarchy: hierarchy.name, path: path) }

    /// Whether this is the root of its hierarchy.
    public var isRoot: Bool { path == BytePath("/") }

    /// Whether the directory still exists under its path with the same inode.
    public func stillExists() -> Bool {
        do throws(Failure) {
            return try Cgroup(path, in: hierarchy).inode == inode
        } catch {
            return false
        }
    }

    /// The uid that owns the directory; anything but root means a delegated subtree.
    public func owner() throws(Failure) -> UInt32 { try directory.identity(of: path).uid }

    /// The bytes of a file of the group.
    public func contents(_ name: String) throws(Failure) -> [UInt8] {
        try open(name, O_RDONLY).readToEnd(limit: 16 << 20, from: path.appending(name))
    }

    /// Opens a file of the group. ENODEV, which the kernel gives for a group that was removed meanwhile, is
    /// ``Base/Failure/Code/notFound``.
    public func open(_ name: String, _ flags: Int32) throws(Failure) -> Descriptor {
        do throws(Failure) {
            return try directory.open(BytePath(name), flags | O_NOFOLLOW, to: "open \(name) of the cgroup")
        } catch {
            throw onThisGroup(error)
        }
    }

    /// Writes a text to a file of the group in one call.
    public func write(_ text: String, to name: String) throws(Failure) {
        do throws(Failure) {
            try open(name, O_WRONLY).writeOnce(text, to: path, attempt: "write \(text) to \(name) of the cgroup")
        } catch {
            throw onThisGroup(error)
        }
    }

    func onThisGroup(_ error: Failure) -> Failure {
        let isGone = error.errno == ENODEV || error.errno == ENOENT
        return Failure(
            isGone ? .notFound : error.code,
            error.attempt,
            on: String(decoding: path.bytes, as: UTF8.self),
            because: error.errno == ENODEV ? "the cgroup was removed" : error.reason,
            errno: error.errno,
            hint: error.hint
        )
    }
}
