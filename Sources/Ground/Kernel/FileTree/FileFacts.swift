public import Base
internal import CLinux
import Glibc

/// A time of a file as statx(2) gives it. Not an ``Base/Instant``: a session may set times beyond the years 1677 to 2262
/// with utimensat(2).
public struct FileStamp: Hashable, Sendable {
    /// Seconds since 1970-01-01T00:00:00Z, negative before.
    public let seconds: Int64
    /// Nanoseconds within the second.
    public let nanoseconds: UInt32

    /// Takes both parts.
    public init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// The moment, clamped to the years 1677 to 2262.
    public var instant: Instant { Instant(seconds: seconds, nanoseconds: Int64(nanoseconds)) }
}

extension FileStamp: CustomStringConvertible {
    /// RFC 3339 in UTC with nine fractional digits for the years 0 to 9999; beyond them, where RFC 3339 has no form,
    /// `@SECONDS.NANOSECONDS` since the epoch, as date(1) reads it.
    public var description: String {
        // The calendar repeats every 400 years, so any year is printed through one that an Instant can hold.
        let cycle: Int64 = 12_622_780_800
        let (shifted, overflow) = seconds.addingReportingOverflow(cycle / 2)
        let cycles = shifted / cycle - (shifted % cycle < 0 ? 1 : 0)
        if cycles == 0, !overflow { return instant.description }
        let near = Instant(seconds: seconds &- cycles &* cycle, nanoseconds: Int64(nanoseconds)).description
        guard !overflow, let year = Int64(near.prefix(4)), (0...9999).contains(year + cycles * 400) else {
            let fraction = String(nanoseconds)
            return "@\(seconds).\(String(repeating: "0", count: 9 - fraction.count))\(fraction)"
        }
        let digits = String(year + cycles * 400)
        return String(repeating: "0", count: 4 - digits.count) + digits + near.dropFirst(4)
    }
}

/// The numbers of a device, as statx(2) gives them.
public struct DeviceNumber: Hashable, Sendable {
    /// The major number.
    public let major: UInt32
    /// The minor number.
    public let minor: UInt32

    /// Takes both numbers.
    public init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }
}

/// Which object of the machine a file is: the device of its filesystem and its inode.
public struct FileIdentity: Hashable, Sendable {
    /// The device that holds the filesystem.
    public let device: DeviceNumber
    /// The inode.
    public let inode: UInt64

    /// Takes both parts.
    public init(device: DeviceNumber, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

/// What the kernel tells of one object of a filesystem without opening it (statx(2)).
public struct FileFacts: Hashable, Sendable {
    /// What an object is.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A regular file: the only kind that is ever opened for its content.
        case file
        /// A directory.
        case directory
        /// A symbolic link.
        case symlink
        /// A named pipe.
        case fifo
        /// A socket.
        case socket
        /// A block device.
        case block
        /// A character device; with the numbers 0 and 0 an overlay's whiteout.
        case char
        /// Something that this kernel has and Quell does not know.
        case unknown
    }

    /// What it is.
    public let kind: Kind
    /// Permission bits, `st_mode & 07777`.
    public let mode: UInt32
    /// The owner's number.
    public let uid: UInt32
    /// The group's number.
    public let gid: UInt32
    /// How many names the inode has.
    public let links: UInt32
    /// Device of the filesystem and inode.
    public let identity: FileIdentity
    /// The numbers of a device node; zeros for everything else.
    public let special: DeviceNumber
    /// The size in bytes; for a symbolic link the length of its text.
    public let size: UInt64
    /// Allocated blocks of 512 bytes.
    public let blocks: UInt64
    /// STATX_ATTR_* bits that this filesystem supports and that are set.
    public let attributes: UInt64
    /// The mount that it was reached through; `nil` before Linux 5.8.
    public let mount: UInt64?
    /// When the inode was made, where the filesystem records it.
    public let born: FileStamp?
    /// The last read, as far as the mount records it.
    public let accessed: FileStamp
    /// The last change of the content.
    public let modified: FileStamp
    /// The last change of the inode.
    public let changed: FileStamp

    /// Whether `other`, taken later of the same name, is the same object with the same content, as far as the kernel
    /// tells: same inode, size, content time and inode time.
    public func isUnchanged(in other: FileFacts) -> Bool {
        identity == other.identity && size == other.size && modified == other.modified && changed == other.changed
    }

    /// The 12 bits as four octal digits, such as `0644`.
    public var octalMode: String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}

extension FileFacts {
    /// Asks about the object behind `descriptor`, which may be an O_PATH one. `cached` takes what the filesystem has,
    /// so that no server has to answer (AT_STATX_DONT_SYNC).
    static func of(_ descriptor: Int32, on subject: BytePath, cached: Bool = false) throws(Failure) -> FileFacts {
        var raw = clinux_file_facts()
        guard clinux_files_facts(descriptor, cached ? 1 : 0, &raw) == 0 else {
            throw Failure(errno: errno, "look at the file", on: subject)
        }
        return FileFacts(raw)
    }

    private init(_ raw: clinux_file_facts) {
        kind =
            switch raw.mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFLNK: .symlink
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            case S_IFBLK: .block
            case S_IFCHR: .char
            default: .unknown
            }
        mode = raw.mode & 0o7777
        uid = raw.uid
        gid = raw.gid
        links = raw.links
        identity = FileIdentity(
            device: DeviceNumber(major: raw.device_major, minor: raw.device_minor),
            inode: raw.inode
        )
        special = DeviceNumber(major: raw.special_major, minor: raw.special_minor)
        size = raw.size
        blocks = raw.blocks
        attributes = raw.attributes
        mount = raw.has_mount != 0 ? raw.mount : nil
        born = raw.has_born != 0 ? FileStamp(seconds: raw.born_seconds, nanoseconds: raw.born_nanoseconds) : nil
        accessed = FileStamp(seconds: raw.accessed_seconds, nanoseconds: raw.accessed_nanoseconds)
        modified = FileStamp(seconds: raw.modified_seconds, nanoseconds: raw.modified_nanoseconds)
        changed = FileStamp(seconds: raw.changed_seconds, nanoseconds: raw.changed_nanoseconds)
    }
}
