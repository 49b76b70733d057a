public import Base
import Glibc

/// The few readings of procfs that tell who owns a socket, below one directory descriptor so that Quell's own mount can
/// be used (RT6). Everything is read without blocking on the subject: links, status, stat and cgroup only.
public struct ProcWindow: ~Copyable {
    private let directory: OwnedNumber

    /// Opens the procfs mounted at `path`.
    ///
    /// - Throws: As open(2).
    public init(at path: BytePath = BytePath("/proc")) throws(Failure) {
        let number = path.withCString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard number >= 0 else { throw Failure(errno: errno, "open", on: path) }
        directory = OwnedNumber(taking: number)
    }

    /// Uses an open procfs directory; the descriptor is duplicated.
    ///
    /// - Throws: `system` when no descriptor is left.
    public init(duplicating descriptor: Int32) throws(Failure) {
        let number = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard number >= 0 else { throw Failure(errno: errno, "open", on: BytePath("procfs")) }
        directory = OwnedNumber(taking: number)
    }

    /// The process ids that are there now, in ascending order.
    public func pids() throws(Failure) -> [Int32] {
        guard let numbers = numbers(in: ".") else { throw Failure(errno: errno, "list", on: BytePath("procfs")) }
        return numbers.sorted()
    }

    /// The inodes of the sockets that a process holds; empty when the process is gone, which is not an error, or when its
    /// descriptors may not be seen.
    public func socketInodes(of pid: Int32) -> Set<UInt64> {
        var found: Set<UInt64> = []
        for descriptor in numbers(in: "\(pid)/fd") ?? [] {
            guard let target = link("\(pid)/fd/\(descriptor)"), let inode = Self.socketInode(target) else { continue }
            found.insert(inode)
        }
        return found
    }

    /// Which processes hold which of these sockets, over all processes.
    public func holders(of inodes: Set<UInt64>) throws(Failure) -> [UInt64: [Int32]] {
        var holders: [UInt64: [Int32]] = [:]
        for pid in try pids() {
            for inode in socketInodes(of: pid).intersection(inodes) { holders[inode, default: []].append(pid) }
        }
        return holders
    }

    /// The process's pin; `nil` when it is gone.
    public func pin(of pid: Int32) -> ProcessPin? {
        read("\(pid)/stat").flatMap(Self.startTicks).map { ProcessPin(pid: pid, startTicks: $0) }
    }

    /// Real, effective, saved and file system user id; `nil` when it is gone.
    public func userIDs(of pid: Int32) -> [UInt32]? { read("\(pid)/status").flatMap(Self.userIDs) }

    /// The lines of /proc/PID/cgroup as hierarchy (`v2`, `v1:freezer`) and path; `nil` when it is gone.
    public func cgroups(of pid: Int32) -> [(hierarchy: String, path: BytePath)]? {
        read("\(pid)/cgroup").map(Self.cgroups)
    }

    /// The file it executes: the text of the link, and device and inode of the file itself; `nil` for kernel threads and
    /// for a process that is gone.
    public func executable(of pid: Int32) -> (path: BytePath, device: UInt64, inode: UInt64)? {
        guard let path = link("\(pid)/exe") else { return nil }
        var facts = stat()
        guard fstatat(directory.number, "\(pid)/exe", &facts, 0) == 0 else { return nil }
        return (BytePath(path), UInt64(facts.st_dev), UInt64(facts.st_ino))
    }

    // MARK: Pure readings

    static func socketInode(_ target: [UInt8]) -> UInt64? {
        let prefix = Array("socket:[".utf8)
        guard target.starts(with: prefix), target.last == UInt8(ascii: "]") else { return nil }
        return UInt64(String(decoding: target[prefix.count..<target.count - 1], as: UTF8.self))
    }

    /// Field 22 of stat, counted from the last `)` because the name may hold anything (proc_pid_stat(5)).
    static func startTicks(_ bytes: [UInt8]) -> UInt64? {
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19 else { return nil }
        return UInt64(String(decoding: fields[19], as: UTF8.self))
    }

    static func userIDs(_ bytes: [UInt8]) -> [UInt32]? {
        for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: Array("Uid:".utf8)) {
            let ids = line.dropFirst(4).split(separator: UInt8(ascii: "\t"))
            let numbers = ids.compactMap { UInt32(String(decoding: $0, as: UTF8.self)) }
            return numbers.count == 4 ? numbers : nil
        }
        return nil
    }

    static func cgroups(_ bytes: [UInt8]) -> [(hierarchy: String, path: BytePath)] {
        bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return nil }
            let isUnified = fields[0].elementsEqual("0".utf8) && fields[1].isEmpty
            return (isUnified ? "v2" : "v1:" + String(decoding: fields[1], as: UTF8.self), BytePath(fields[2]))
        }
    }

    // MARK: Reading below the directory

    private func numbers(in folder: String) -> [Int32]? {
        let number = openat(directory.number, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard number >= 0 else { return nil }
        guard let stream = fdopendir(number) else {
            close(number)
            return nil
        }
        defer { closedir(stream) }
        var found: [Int32] = []
        while let entry = readdir(stream) {
            let number = withUnsafeBytes(of: entry.pointee.d_name) { name in
                Int32(String(decoding: name.prefix { $0 != 0 }, as: UTF8.self))
            }
            if let number, number >= 0 { found.append(number) }
        }
        return found
    }

    private func link(_ path: String) -> [UInt8]? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlinkat(directory.number, path, &buffer, buffer.count)
        guard count >= 0 else { return nil }
        return buffer[..<count].map { UInt8(bitPattern: $0) }
    }

    private func read(_ path: String) -> [UInt8]? {
        let number = openat(directory.number, path, O_RDONLY | O_CLOEXEC, 0)
        guard number >= 0 else { return nil }
        let file = OwnedNumber(taking: number)
        var bytes: [UInt8] = []
        while bytes.count < 65_536 {
            let chunk = [UInt8](unsafeUninitializedCapacity: 16_384) { buffer, filled in
                filled = max(0, Glibc.read(file.number, buffer.baseAddress, buffer.count))
            }
            if chunk.isEmpty { break }
            bytes += chunk
        }
        return bytes.isEmpty ? nil : bytes
    }
}
