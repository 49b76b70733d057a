public import Base

/// One member of a foreign archive as the archive tells of it. Everything in it but the digest is somebody's word, and
/// names are hostile.
public struct ForeignMember: Hashable, Sendable {
    /// What it says it is.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// A regular file.
        case file
        /// A directory.
        case directory = "dir"
        /// A symbolic link.
        case symlink = "link"
        /// A further name of another member.
        case hardLink = "hardlink"
        /// A named pipe.
        case fifo
        /// A block device.
        case block
        /// A character device.
        case character = "char"
        /// Anything else.
        case other
    }

    /// The name as it stands in the archive, up to a NUL.
    public var path: BytePath
    /// What it says it is.
    public var kind: Kind
    /// Bytes of its content, as the archive says.
    public var size: UInt64 = 0
    /// When it was last changed.
    public var modified: FileTime?
    /// The same where the archive has no zone for it: `2026-11-23T06:54:34`.
    public var modifiedLocal: String?
    /// Permission bits.
    public var mode: UInt32?
    /// The owner's number.
    public var uid: UInt64?
    /// The group's number.
    public var gid: UInt64?
    /// What stands in a link.
    public var target: BytePath?
    /// SHA-256 of its content, when that was read to its end.
    public var digest: Digest?
    /// What is odd about it, in Quell's words.
    public var remarks: [String] = []

    /// A member without content.
    public init(path: BytePath, kind: Kind) {
        self.path = path
        self.kind = kind
    }

    /// The name without what differs between archives of the same: `./` or `/` in front, `/` behind.
    public var plainPath: BytePath {
        BytePath(joining: path.components.filter { $0 != BytePath(".") })
    }

    /// Says what would go wrong if somebody brought the member to disk under its name. Quell never does.
    mutating func judgePath() {
        if path.isEmpty { remarks.append("it has no name") }
        if path.isAbsolute { remarks.append("its path begins at the root") }
        if path.components.contains(BytePath("..")) { remarks.append("its path leads out of the archive") }
    }
}

/// Takes what a foreign archive holds, in the order in which it is read.
public protocol ForeignVisitor: AnyObject {
    /// Content of `member`, in pieces.
    func content(_ bytes: UnsafeRawBufferPointer, of member: ForeignMember) throws(Failure)
    /// The member has ended; with its digest when it has content that was read.
    func end(_ member: ForeignMember) throws(Failure)
}

/// What a foreign archive came to.
public struct ForeignReading: Hashable, Sendable {
    /// The form that it was read as.
    public enum Form: String, Hashable, Sendable, Codable {
        /// A tar file.
        case tar
        /// A tar file in gzip.
        case tarGzip = "tar.gz"
        /// A tar file in zstd.
        case tarZstd = "tar.zst"
        /// A zip file.
        case zip
        /// None of these.
        case unknown
    }

    /// The form that it was read as.
    public var form: Form
    /// Members that were listed.
    public var members = 0
    /// Bytes that were expanded.
    public var expanded: UInt64 = 0
    /// Why it was not read to its end; `nil` when it was.
    public var notUnderstood: String?
    /// What is odd about the archive as a whole, in Quell's words.
    public var remarks: [String] = []
}
