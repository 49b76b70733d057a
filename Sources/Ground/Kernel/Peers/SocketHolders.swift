public import Base
internal import CLinux
internal import Glibc

extension ProcessDirectory {
    /// The texts of the links in /proc/PID/fd, for at most `limit` descriptors; nothing is opened and nothing that the
    /// links name is looked at, so a server of the session's cannot hold the reader up.
    public func descriptorLinks(limit: Int = .max) throws(Failure) -> [BytePath] {
        let path = BytePath("fd")
        let table = try directory.open(path, O_RDONLY | O_DIRECTORY, to: "list the open files of process \(pid)")
        var found: [BytePath] = []
        for number in try table.numbers(in: path).prefix(limit) {
            // A descriptor that was closed meanwhile has no link.
            if let target = try link("fd/\(number)") { found.append(target) }
        }
        return found
    }

    /// Whether it holds one of these sockets; `nil` when the deadline passed before all its descriptors were looked at.
    public func holds(anyOf inodes: Set<UInt64>, by deadline: Deadline) throws(Failure) -> Bool? {
        let path = BytePath("fd")
        let table = try directory.open(path, O_RDONLY | O_DIRECTORY, to: "list the open files of process \(pid)")
        for (index, number) in try table.numbers(in: path, by: deadline).enumerated() {
            if index % 64 == 0, deadline.hasPassed { return nil }
            if let inode = try link("fd/\(number)")?.socketInode, inodes.contains(inode) { return true }
        }
        return deadline.hasPassed ? nil : false
    }

    /// How many descriptors it has open, as far as the kernel tells by the size of their folder (Linux 6.2), which asks
    /// nothing of them; 0 where it does not.
    public func descriptorCount() -> Int64 {
        var facts = Glibc.stat()
        return fstatat(directory.number, "fd", &facts, 0) == 0 ? Int64(facts.st_size) : 0
    }

    /// The inodes of the sockets that the process holds, from those links.
    public func socketInodes() throws(Failure) -> Set<UInt64> { Set(try descriptorLinks().compactMap(\.socketInode)) }

    /// Device and inode of the file that the process, or a thread of it, executes; `nil` for kernel threads and zombies.
    /// The filesystem is asked for what it has at hand, so that a server of the session's cannot hold the reader up.
    public func executableFile(of thread: Int32? = nil) throws(Failure) -> (device: UInt64, inode: UInt64)? {
        let path = BytePath(thread.map { "task/\($0)/exe" } ?? "exe")
        let attempt = "look at the executable of process \(pid)"
        let file: Descriptor
        do throws(Failure) {
            file = try directory.open(path, Int32(clinux_o_path), to: attempt)
        } catch {
            if error.errno == ENOENT { return nil }
            throw error
        }
        var facts = clinux_file_facts()
        guard clinux_files_facts(file.number, 1, &facts) == 0 else { throw Failure(errno: errno, attempt, on: path) }
        return (Mapping.device(UInt64(facts.device_major), UInt64(facts.device_minor)), facts.inode)
    }
}

extension BytePath {
    /// N of the link text `socket:[N]`; `nil` for any other text.
    public var socketInode: UInt64? {
        let prefix = Array("socket:[".utf8)
        guard bytes.starts(with: prefix), bytes.last == UInt8(ascii: "]") else { return nil }
        return Decimal.uint64(bytes[prefix.count..<bytes.count - 1])
    }
}

extension Host {
    /// Which processes hold which of these sockets, over all processes, in ascending order. A process that ends
    /// meanwhile, or whose descriptors may not be seen, holds none here: that is not an error.
    public func holders(ofSockets inodes: Set<UInt64>) throws(Failure) -> [UInt64: [Int32]] {
        var holders: [UInt64: [Int32]] = [:]
        // The own mount's descriptor is O_PATH (fsmount(2)), which cannot be listed.
        let listing = try proc.descriptor.open(BytePath("."), O_RDONLY | O_DIRECTORY, to: "list the processes")
        for pid in try listing.numbers(in: BytePath("/proc")).sorted() {
            for inode in socketInodes(of: pid).intersection(inodes) { holders[inode, default: []].append(pid) }
        }
        return holders
    }

    func socketInodes(of pid: Int32) -> Set<UInt64> {
        do throws(Failure) { return try ProcessDirectory(pid, on: self).socketInodes() } catch { return [] }
    }
}
