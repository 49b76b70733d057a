public import Base
internal import CLinux
import Glibc

/// The extended attributes of one object, in the order of their names, as far as a limit allows (xattr(7)).
public struct FileAttributes: Hashable, Sendable {
    /// One attribute.
    public struct Attribute: Hashable, Sendable {
        /// The name with its namespace, such as `user.origin`.
        public let name: BytePath
        /// The value, any bytes.
        public let value: [UInt8]
    }

    /// What was read, sorted by name.
    public private(set) var found: [Attribute] = []
    /// What was not read, sorted by name, and why: over the limit, or the error of the filesystem.
    public private(set) var missing: [Missing] = []

    /// One attribute that is not here.
    public struct Missing: Hashable, Sendable {
        /// The name.
        public let name: BytePath
        /// Why; `nil` when the limit was reached.
        public let errno: Int32?
    }

    /// A name list is at most 64 KiB, and so is a value (XATTR_LIST_MAX, XATTR_SIZE_MAX).
    private static let kernelLimit = 65536

    init(of descriptor: Int32, subject: BytePath, limit: Int) throws(Failure) {
        // Nearly every file has none: ask for the length first, without a buffer.
        let length = clinux_files_list_attributes(descriptor, nil, 0)
        if length == 0 || (length < 0 && errno == EOPNOTSUPP) { return }
        guard length > 0 else { throw Failure(errno: errno, "list the extended attributes", on: subject) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: FileAttributes.kernelLimit, alignment: 1)
        defer { buffer.deallocate() }
        let listed = buffer.withMemoryRebound(to: CChar.self) { characters in
            clinux_files_list_attributes(descriptor, characters.baseAddress, characters.count)
        }
        guard listed >= 0 else { throw Failure(errno: errno, "list the extended attributes", on: subject) }
        let names = buffer.prefix(listed).split(separator: 0).map { BytePath($0) }.sorted()
        var spent = 0
        for name in names {
            let count = name.withCString { start in
                clinux_files_get_attribute(descriptor, start, buffer.baseAddress, buffer.count)
            }
            let problem = errno
            if count < 0 {
                // An attribute that vanished since it was listed is no loss of ours, but it is told.
                missing.append(Missing(name: name, errno: problem))
            } else if spent + name.bytes.count + count > limit {
                missing.append(Missing(name: name, errno: nil))
            } else {
                spent += name.bytes.count + count
                found.append(Attribute(name: name, value: Array(buffer.prefix(count))))
            }
        }
    }
}
