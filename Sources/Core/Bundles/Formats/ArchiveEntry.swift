public import Base

/// One object of an archived root: what goes into its pax header and its mtree line.
public struct ArchiveEntry: Hashable, Sendable {
    /// A stretch of a sparse file that holds data.
    public struct Segment: Hashable, Sendable {
        /// Bytes from the start of the file.
        public let offset: UInt64
        /// Bytes of data.
        public let length: UInt64

        /// Takes both numbers.
        public init(offset: UInt64, length: UInt64) {
            self.offset = offset
            self.length = length
        }
    }

    /// What the object is. Only ``file(size:segments:)`` has content.
    public enum Kind: Hashable, Sendable {
        /// A regular file of `size` bytes; `segments` are its stretches of data in rising order as SEEK_DATA and
        /// SEEK_HOLE give them, `nil` when the file is not sparse, empty when it is one hole.
        case file(size: UInt64, segments: [Segment]?)
        /// A directory.
        case directory
        /// A symbolic link and what stands in it, never followed.
        case symlink(target: BytePath)
        /// A further name of a file that was archived before under `original` with `links` above 1; its size, and its
        /// digest when that covers the whole content.
        case hardLink(original: BytePath, size: UInt64, digest: Digest?)
        /// A named pipe.
        case fifo
        /// A socket. Archives cannot hold one: it stands in the mtree only.
        case socket
        /// A block device with its numbers; its content is never read.
        case block(major: UInt32, minor: UInt32)
        /// A character device with its numbers; its content is never read.
        case character(major: UInt32, minor: UInt32)
    }

    /// One extended attribute.
    public struct Attribute: Hashable, Sendable {
        /// The name with its namespace, such as `user.origin`.
        public let name: BytePath
        /// The value, any bytes.
        public let value: [UInt8]

        /// Takes both parts.
        public init(name: BytePath, value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// What the digest of a file covers, `digestScope` in collection.jsonl.
    public enum DigestScope: String, Hashable, Sendable, Codable {
        /// Every byte of the file, holes as zeros: what `sha256sum` prints.
        case content
        /// The stretches of data only: for each, its offset and its length as 8 bytes big-endian, then its bytes. For
        /// files with more than 16 GiB of holes, whose logical digest costs ten CPU-minutes a TiB.
        case segments
    }

    /// How many bytes of holes a file may have and still get a digest of its whole content: 16 GiB.
    public static let holesInContentDigest: UInt64 = 16 << 30

    /// The path relative to the root, without a leading slash; the empty path or `.` is the root itself.
    public var path: BytePath
    /// What it is.
    public var kind: Kind
    /// Permission bits, `st_mode & 07777`.
    public var mode: UInt32
    /// The owner's number.
    public var uid: UInt32
    /// The group's number.
    public var gid: UInt32
    /// The last change of the content.
    public var modified: FileTime
    /// The last change of the inode, when known. It stands in the pax header; nothing can restore it.
    public var changed: FileTime?
    /// How many names the inode has.
    public var links: UInt64
    /// Extended attributes, in the order of listxattr(2).
    public var attributes: [Attribute]
    /// Whether only the metadata is recorded although the object could have content (RT24, policy, a failed read): it
    /// then stands in the mtree, marked `optional` and without a digest, and not in the archive.
    public var isMetadataOnly: Bool

    /// Takes all parts.
    public init(
        path: BytePath,
        kind: Kind,
        mode: UInt32,
        uid: UInt32,
        gid: UInt32,
        modified: FileTime,
        changed: FileTime? = nil,
        links: UInt64 = 1,
        attributes: [Attribute] = [],
        isMetadataOnly: Bool = false
    ) {
        self.path = path
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.modified = modified
        self.changed = changed
        self.links = links
        self.attributes = attributes
        self.isMetadataOnly = isMetadataOnly
    }
}

/// What became of one entry.
public struct EntryReceipt: Hashable, Sendable {
    /// SHA-256 over what is in the archive for this file; `nil` for everything that is no regular file with content.
    public let digest: Digest?
    /// What the digest covers.
    public let digestScope: ArchiveEntry.DigestScope
    /// Bytes that the file had fewer than its header says: they are zeros in the archive. Not 0: the read was torn.
    public let missing: UInt64
    /// Bytes that came beyond the size in the header and are not in the archive. Not 0: the read was torn.
    public let excess: UInt64
    /// What the archive format could not keep, in the words of libarchive; such an entry is at best partly collected.
    public let warning: String?

    /// Whether the file changed its size while it was read, or could not be read to its end.
    public var isTorn: Bool { missing > 0 || excess > 0 }
}
