public import Base

/// What an extraction brings to disk besides names, content, permission bits and times. Everything else is left out unless
/// it is asked for: what a session made may be set up to do harm where it is unpacked.
public struct ExtractionOptions: Hashable, Sendable {
    /// Only these paths below the root and what lies below them, with the directories above; empty: everything.
    public var paths: [BytePath]
    /// Owner and group as they were; needs the right to give files away.
    public var keepsOwners: Bool
    /// Extended attributes of the user's namespace and access lists.
    public var keepsAttributes: Bool
    /// Devices and named pipes.
    public var makesDevices: Bool
    /// The setuid and setgid bits and file capabilities.
    public var keepsSetuid: Bool

    /// Takes all parts.
    public init(
        paths: [BytePath] = [],
        keepsOwners: Bool = false,
        keepsAttributes: Bool = false,
        makesDevices: Bool = false,
        keepsSetuid: Bool = false
    ) {
        self.paths = paths
        self.keepsOwners = keepsOwners
        self.keepsAttributes = keepsAttributes
        self.makesDevices = makesDevices
        self.keepsSetuid = keepsSetuid
    }

    /// The permission bits that a file gets.
    func permissions(_ mode: UInt32) -> UInt32 { keepsSetuid ? mode & 0o7777 : mode & 0o1777 }

    /// Why an extended attribute is not set; `nil` when it is.
    func objection(to name: BytePath) -> String? {
        if name.bytes.starts(with: "user.".utf8) || name.bytes.starts(with: "system.posix_acl_".utf8) {
            return keepsAttributes ? nil : "extended attributes were not asked for"
        }
        if name == BytePath("security.capability") { return keepsSetuid ? nil : "file capabilities were not asked for" }
        return "it steers the kernel, not the file"
    }
}

/// What an extraction came to.
public struct ExtractionReport: Hashable, Sendable {
    /// Something that is in the archive and not, or not whole, on disk.
    public struct Remark: Hashable, Sendable {
        /// The path below the root; hostile.
        public let path: BytePath
        /// Why.
        public let reason: String
        /// Whether nobody asked for it; else it could not be done.
        public let isByPolicy: Bool
    }

    /// How many remarks are kept; all are counted.
    public static let keptRemarks = 200

    /// Regular files.
    public internal(set) var files: UInt64 = 0
    /// Further names of files.
    public internal(set) var hardLinks: UInt64 = 0
    /// Directories, the root counted.
    public internal(set) var directories: UInt64 = 0
    /// Symbolic links.
    public internal(set) var symlinks: UInt64 = 0
    /// Devices and named pipes.
    public internal(set) var special: UInt64 = 0
    /// Bytes of content, holes not counted.
    public internal(set) var bytes: UInt64 = 0
    /// What policy left out, and how many.
    public internal(set) var leftOut: UInt64 = 0
    /// What could not be done, how many.
    public internal(set) var failed: UInt64 = 0
    /// The first of both.
    public internal(set) var remarks: [Remark] = []
    /// Paths that were asked for and that the archive does not have.
    public internal(set) var unmatched: [BytePath] = []

    mutating func leaveOut(_ path: BytePath, _ reason: String) {
        leftOut += 1
        note(Remark(path: path, reason: reason, isByPolicy: true))
    }

    mutating func fail(_ path: BytePath, _ failure: Failure) {
        failed += 1
        note(Remark(path: path, reason: "cannot \(failure.attempt): \(failure.reason)", isByPolicy: false))
    }

    private mutating func note(_ remark: Remark) {
        if remarks.count < ExtractionReport.keptRemarks { remarks.append(remark) }
    }
}
