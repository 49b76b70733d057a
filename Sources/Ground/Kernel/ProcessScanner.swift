public import Base
internal import CLinux
internal import Glibc

/// Reads short files of many processes with one buffer and no allocation a process: the scan that a freeze stands on.
/// A process costs one openat, one read and one close for each file.
public struct ProcessScanner: ~Copyable {
    private let host: Host
    private let buffer: UnsafeMutableRawBufferPointer
    private let name: UnsafeMutableRawBufferPointer

    /// Allocates the buffers.
    public init(_ host: Host) {
        self.host = host
        buffer = .allocate(byteCount: 16_384, alignment: 16)
        name = .allocate(byteCount: 64, alignment: 16)
    }

    deinit {
        buffer.deallocate()
        name.deallocate()
    }

    /// All pids of Quell's pid namespace, ascending, in one walk of /proc. A process that ends or begins meanwhile may be
    /// missing.
    public func pids() throws(Failure) -> [Int32] {
        var found: [Int32] = []
        found.reserveCapacity(512)
        var isAscending = true
        // An own mount is a path descriptor (fsmount(2)), which cannot be listed itself.
        let root = try host.proc.descriptor.open(BytePath("."), O_RDONLY | O_DIRECTORY, to: "list the processes")
        try root.forEachEntry(of: BytePath("/proc")) { entry, _ throws(Failure) in
            guard let pid = Decimal.int32(entry) else { return }
            if let last = found.last, last > pid { isAscending = false }
            found.append(pid)
        }
        // As the kernel lists them; a recorded folder has its own order.
        return isAscending ? found : found.sorted()
    }

    /// Calls `body` with the bytes of one file of a process, or with `nil` when the process is gone or the file may not
    /// be read. Files longer than 16 KiB are cut; `stat`, `cgroup` and `status` are not.
    @inline(__always)
    public func withFile<Result>(
        _ file: StaticString,
        of pid: Int32,
        _ body: (UnsafeRawBufferPointer?) -> Result
    ) -> Result {
        withFile(at: path(file, of: pid), body)
    }

    /// Writes `PID/file` with a NUL behind it into the name buffer.
    private func path(_ file: StaticString, of pid: Int32) -> UnsafePointer<CChar> {
        var length = Decimal.append(pid, to: name, at: 0)
        name[length] = UInt8(ascii: "/")
        length += 1
        let count = min(file.utf8CodeUnitCount, 40)
        for index in 0..<count { name[length + index] = file.utf8Start[index] }
        name[length + count] = 0
        guard let start = name.baseAddress else { preconditionFailure("an allocated buffer has an address") }
        return UnsafePointer(start.assumingMemoryBound(to: CChar.self))
    }

    private func withFile<Result>(
        at path: UnsafePointer<CChar>,
        _ body: (UnsafeRawBufferPointer?) -> Result
    ) -> Result {
        let file = repeating { quell_openat(host.proc.descriptor.number, path, O_RDONLY | O_CLOEXEC, 0) }
        guard file >= 0 else { return body(nil) }
        var filled = 0
        // The kernel gives these files whole in one call; a short read is the end.
        let count = repeating { Glibc.read(file, buffer.baseAddress, buffer.count) }
        if count > 0 { filled = count }
        _ = Glibc.close(file)
        return body(count < 0 ? nil : UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
    }

    /// The numbers of /proc/PID/stat, or `nil` when the process is gone.
    public func stat(of pid: Int32) -> StatNumbers? {
        withFile("stat", of: pid) { bytes in bytes.flatMap { StatNumbers(parsing: $0) } }
    }

    /// The whole of /proc/PID/stat with the name, or `nil` when the process is gone.
    public func namedStat(of pid: Int32) -> ProcessStat? {
        withFile("stat", of: pid) { bytes in bytes.flatMap { ProcessStat(parsing: $0) } }
    }

    /// The lines of /proc/PID/cgroup, or `nil` when the process is gone.
    public func cgroups(of pid: Int32) -> [CgroupLine]? {
        withFile("cgroup", of: pid) { bytes in bytes.map { CgroupLine.parse($0) } }
    }

    /// Tells whether one of the paths is that of the process, or an ancestor's, in its hierarchy, without making
    /// strings. `nil` when the process is gone.
    public func stands(in paths: CgroupPathSet, pid: Int32) -> Bool? {
        withFile("cgroup", of: pid) { bytes in bytes.map { paths.matches($0) } }
    }
}

/// Paths of cgroups in the form in which they stand in /proc/PID/cgroup, for matching many processes.
public struct CgroupPathSet: Sendable {
    /// One path to look for: `:freezer:/agents/a7` as it stands in the file behind the number, and for the unified
    /// hierarchy `0::/agents/a7`.
    private let needles: [[UInt8]]
    let groups: [CgroupLine]

    /// Takes the groups; a process matches when one of its lines is one of them or below it. The root matches nothing,
    /// since everything is below it.
    public init(_ groups: [CgroupLine]) {
        self.groups = groups.filter { $0.path != BytePath("/") }
        needles = self.groups.map { group in
            let controllers = group.hierarchy == "v2" ? "" : String(group.hierarchy.dropFirst(3))
            return Array(":\(controllers):".utf8) + group.path.bytes
        }
    }

    /// Whether a line of a cgroup file is at or below one of the paths.
    public func matches(_ file: UnsafeRawBufferPointer) -> Bool {
        var start = 0
        while start < file.count {
            var end = start
            while end < file.count, file[end] != UInt8(ascii: "\n") { end += 1 }
            var colon = start
            while colon < end, file[colon] != UInt8(ascii: ":") { colon += 1 }
            for needle in needles where matches(file, colon, end, needle) { return true }
            start = end + 1
        }
        return false
    }

    private func matches(_ file: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ needle: [UInt8]) -> Bool {
        let length = needle.count
        guard end - start >= length else { return false }
        let isPrefix = needle.withUnsafeBytes { bytes -> Bool in
            guard let left = file.baseAddress, let right = bytes.baseAddress else { return false }
            return memcmp(left + start, right, length) == 0
        }
        return isPrefix && (end - start == length || file[start + length] == UInt8(ascii: "/"))
    }
}

extension ProcessScanner {
    /// The inode of a namespace of a process, or `nil` when it is gone or may not be looked at. One readlinkat(2).
    public func namespace(_ kind: NamespaceKind, of pid: Int32) -> UInt64? {
        let link: StaticString =
            switch kind {
            case .mount: "ns/mnt"
            case .pid: "ns/pid"
            case .network: "ns/net"
            case .user: "ns/user"
            case .ipc: "ns/ipc"
            case .uts: "ns/uts"
            case .cgroup: "ns/cgroup"
            }
        guard let target = buffer.assumingMemoryBound(to: CChar.self).baseAddress else { return nil }
        let count = readlinkat(host.proc.descriptor.number, path(link, of: pid), target, 64)
        guard count > 0 else { return nil }
        // "pid:[4026531836]"
        let text = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        guard let open = text.firstIndex(of: UInt8(ascii: "[")), text.last == UInt8(ascii: "]") else { return nil }
        return Decimal.uint64(text[(open + 1)..<(count - 1)])
    }

    /// The inode of a namespace of the calling process.
    public func ownNamespace(_ kind: NamespaceKind) -> UInt64? { namespace(kind, of: getpid()) }
}

extension ProcessScanner {
    /// The pid of the calling process.
    public static var ownPid: Int32 { getpid() }

    /// A process and its parents, itself first, up to the first process or the last that can be seen. Asked by a descriptor
    /// on each process where the kernel tells that way (Linux 6.13), which takes a tenth of reading stat.
    public func lineage(of pid: Int32) -> [Int32] {
        var found = [pid]
        var current = parent(of: pid)
        while current > 0, found.count < 1024, !found.contains(current) {
            found.append(current)
            current = parent(of: current)
        }
        return found
    }

    /// The number that the kernel gave a process when it made it, the inode of its pidfd: its own since Linux 6.9, before that
    /// the same for all. 0 when the process is gone, ``unknownNumber`` when it cannot be asked for.
    public static func number(of pid: Int32) -> UInt64 { quell_process_number(pid) }
    /// No number of any process.
    public static let unknownNumber = UInt64.max

    /// The pid of a process's parent; 0 when it has none that can be seen, or is gone.
    private func parent(of pid: Int32) -> Int32 {
        if host.procWindow == .own {
            let parent = quell_parent(pid)
            if parent >= 0 { return parent }
        }
        return stat(of: pid)?.parent ?? 0
    }
}
