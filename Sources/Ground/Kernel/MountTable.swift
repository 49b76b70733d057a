public import Base

/// The mounts that a process sees, parsed from /proc/PID/mountinfo. Source: proc_pid_mountinfo(5).
public struct MountTable: Sendable {
    /// The mounts in the kernel's order.
    public let entries: [Mount]
    /// How many lines did not have the documented form; they are left out of `entries`.
    public let malformedLines: Int

    /// Parses the bytes of a mountinfo file.
    public init(parsing bytes: some Collection<UInt8>) {
        self.init(parsing: bytes.split(separator: UInt8(ascii: "\n")).map { Array($0) })
    }

    /// The mounts of cgroup hierarchies alone, which are all that is asked for before a freeze.
    init(cgroupsIn bytes: [UInt8]) {
        let mark = Array(" - cgroup".utf8)
        var lines: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
            // The type stands behind the only dash between two spaces (proc_pid_mountinfo(5)).
            var at = start
            while at < end, !bytes[at..<end].starts(with: mark) { at += 1 }
            if at < end { lines.append(Array(bytes[start..<end])) }
            start = end + 1
        }
        self.init(parsing: lines)
    }

    private init(parsing lines: [[UInt8]]) {
        entries = lines.compactMap { Mount(parsing: $0) }
        malformedLines = lines.count - entries.count
    }
}

/// One mount. Paths are bytes, with the octal escapes of the kernel undone; options are text as the filesystem printed
/// it, which for FUSE and overlay the mounter wrote (RT10).
public struct Mount: Hashable, Sendable {
    /// The mount id; with it, and not with the source, a mount is named.
    public let id: Int32
    /// The id of the parent mount.
    public let parent: Int32
    /// The device number as `major:minor`.
    public let device: String
    /// Which directory of the filesystem is mounted.
    public let root: BytePath
    /// Where it is mounted, as the process sees it.
    public let mountPoint: BytePath
    /// The options of the mount.
    public let options: [String]
    /// The filesystem type, written by the kernel, such as `ext4` or `fuse.sshfs`.
    public let type: String
    /// The source as the mounter gave it: text, never proof.
    public let source: BytePath
    /// The options of the filesystem.
    public let superOptions: [String]
    /// The same as bytes, for `lowerdir=` and its like, with octal escapes undone.
    public let superOptionsBytes: BytePath

    init?(parsing line: [UInt8]) {
        let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard let dash = fields.firstIndex(where: { $0.elementsEqual("-".utf8) }), dash >= 6, fields.count >= dash + 4,
            let id = Decimal.int32(fields[0]), let parent = Decimal.int32(fields[1])
        else { return nil }
        self.id = id
        self.parent = parent
        device = String(decoding: fields[2], as: UTF8.self)
        root = BytePath(Mount.unescaped(fields[3]))
        mountPoint = BytePath(Mount.unescaped(fields[4]))
        options = Mount.options(fields[5])
        type = String(decoding: Mount.unescaped(fields[dash + 1]), as: UTF8.self)
        source = BytePath(Mount.unescaped(fields[dash + 2]))
        superOptions = Mount.options(fields[dash + 3])
        superOptionsBytes = BytePath(Mount.unescaped(fields[dash + 3]))
    }

    private static func options(_ field: some Collection<UInt8>) -> [String] {
        field.split(separator: UInt8(ascii: ",")).map { String(decoding: unescaped($0), as: UTF8.self) }
    }

    /// Undoes `\040` and its like: a backslash and three octal digits.
    static func unescaped(_ field: some Collection<UInt8>) -> [UInt8] {
        let bytes = Array(field)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\\"), index + 3 < bytes.count,
                let byte = octal(bytes[index + 1...index + 3])
            {
                output.append(byte)
                index += 4
            } else {
                output.append(bytes[index])
                index += 1
            }
        }
        return output
    }

    private static func octal(_ digits: ArraySlice<UInt8>) -> UInt8? {
        var value = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "7") else { return nil }
            value = value * 8 + Int(digit - UInt8(ascii: "0"))
        }
        return UInt8(exactly: value)
    }
}
