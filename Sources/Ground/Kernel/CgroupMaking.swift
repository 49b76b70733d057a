public import Base
internal import Glibc

extension Cgroup {
    /// Makes a child group with that name and mode 0700. A name that is taken already is an error, never reused (RT34).
    public func makeChild(_ name: String) throws(Failure) -> Cgroup {
        guard mkdirat(directory.number, name, 0o700) == 0 else {
            let number = errno
            if number == EEXIST {
                throw Failure(
                    .refused,
                    "make a cgroup",
                    on: String(decoding: path.appending(name).bytes, as: UTF8.self),
                    because: "the name is taken already",
                    errno: number
                )
            }
            throw Failure(errno: number, "make a cgroup", on: path.appending(name))
        }
        let child = try Cgroup(path.appending(name), in: hierarchy)
        guard try child.owner() == geteuid() else {
            throw Failure(
                .changed,
                "make a cgroup",
                on: String(decoding: child.path.bytes, as: UTF8.self),
                because: "somebody else owns what was just made"
            )
        }
        return child
    }

    /// A name that nobody can guess: `quell-` and 16 hexadecimal digits from getentropy(3).
    public static func randomName() throws(Failure) -> String {
        var bytes = [UInt8](repeating: 0, count: 8)
        guard getentropy(&bytes, bytes.count) == 0 else {
            throw Failure(errno: errno, "draw a random name", on: BytePath("getentropy"))
        }
        return "quell-" + Hex.encode(bytes)
    }

    /// Whether a path is that of a group at the root of a hierarchy with such a name.
    public static func isRandomName(_ path: BytePath) -> Bool {
        let prefix = Array("/quell-".utf8)
        let digits = path.bytes.dropFirst(prefix.count)
        return path.bytes.starts(with: prefix) && digits.count == 16
            && digits.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// Removes the group; it must be empty and still be the pinned one. One that is gone already is
    /// ``Base/Failure/Code/notFound``, one with processes or children the errno EBUSY.
    public func remove() throws(Failure) {
        guard stillExists() else {
            throw Failure(
                .notFound,
                "remove the cgroup",
                on: String(decoding: path.bytes, as: UTF8.self),
                because: "it is gone"
            )
        }
        let parent = try Cgroup(path.parent, in: hierarchy)
        let result = path.lastComponent.withCString { unlinkat(parent.directory.number, $0, AT_REMOVEDIR) }
        guard result == 0 else { throw Failure(errno: errno, "remove the cgroup", on: path) }
    }
}
