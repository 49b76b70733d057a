public import Base
public import Kernel

/// How a process stands to a session in a snapshot.
public enum Membership: String, Hashable, Sendable, Codable {
    /// Of the session, in its cgroups.
    case member
    /// Of the session, outside its cgroups.
    case stray
    /// In its cgroups, not of it.
    case guest
}

/// One line of processes.jsonl. What could not be read stands in `failures`; a field that was not asked for or could
/// not be read is `nil`, never an invented value.
public struct ProcessRecord: Hashable, Sendable, Codable {
    /// The pid.
    public var pid: Int32
    /// Clock ticks since boot.
    public var startTicks: UInt64
    /// When it began: the earliest moment of the tick.
    public var started: Instant
    /// The parent's pid.
    public var ppid: Int32?
    /// The name that it gave itself.
    public var comm: BytePath?
    /// The arguments that it shows.
    public var argv: [BytePath]?
    /// The executable as the kernel tells it.
    public var exe: BytePath?
    /// The working directory as the kernel tells it.
    public var cwd: BytePath?
    /// Where it stands in each hierarchy.
    public var cgroups: [CgroupLine]?
    /// The real uid.
    public var uid: UInt32?
    /// The real gid.
    public var gid: UInt32?
    /// The state letter.
    public var state: String?
    /// Its threads.
    public var threads: [ThreadRecord] = []
    /// How it stands to the session.
    public var membership: Membership
    /// Why.
    public var marks: [Mark]
    /// Its open descriptors.
    public var openFiles: [OpenFileRecord]?
    /// The names of its environment variables; never their values.
    public var environNames: [BytePath]?
    /// What could not be read.
    public var failures: [ReadFailure] = []
}

/// One thread of a ``ProcessRecord``.
public struct ThreadRecord: Hashable, Sendable, Codable {
    /// The thread id.
    public let tid: Int32
    /// The state letter.
    public let state: String
    /// Where it stands, when that is elsewhere than its process (RT5).
    public let cgroups: [CgroupLine]?
}

/// One open descriptor of a ``ProcessRecord``.
public struct OpenFileRecord: Hashable, Sendable, Codable {
    /// The number in that process.
    public let fd: Int32
    /// The link text.
    public let target: BytePath
    /// file, directory, symlink, fifo, socket, block, char or anonymous.
    public let kind: String
    /// The inode of the object.
    public let inode: UInt64
    /// Its device.
    public let device: UInt64
    /// The open flags.
    public let flags: UInt32
    /// The file position.
    public let position: UInt64
    /// Whether it is a regular file without a name.
    public let deleted: Bool

    init(_ file: OpenFile) {
        fd = file.number
        target = file.target
        kind = OpenFileRecord.kind(ofMode: file.mode)
        inode = file.inode
        device = file.device
        flags = file.flags
        position = file.position
        deleted = file.isDeletedFile
    }

    /// The word of a file type, inode(7).
    static func kind(ofMode mode: UInt32) -> String {
        switch mode & 0o170000 {
        case 0o100000: "file"
        case 0o040000: "directory"
        case 0o120000: "symlink"
        case 0o010000: "fifo"
        case 0o140000: "socket"
        case 0o060000: "block"
        case 0o020000: "char"
        default: "anonymous"
        }
    }
}

/// One thing about a process that could not be read.
public struct ReadFailure: Hashable, Sendable, Codable {
    /// Which thing: `exe`, `openFiles`, `thread 4712`.
    public let read: String
    /// Why, for people.
    public let reason: String
    /// The errno, when a call failed.
    public let errno: Int32?

    init(_ read: String, _ failure: Failure) {
        self.read = read
        reason = failure.reason
        errno = failure.errno
    }
}
