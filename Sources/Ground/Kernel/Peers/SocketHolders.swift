public import Base
internal import Glibc

extension ProcessDirectory {
    /// The inodes of the sockets that the process holds, from the links in /proc/PID/fd; nothing is opened.
    public func socketInodes() throws(Failure) -> Set<UInt64> {
        let path = BytePath("fd")
        let table = try directory.open(path, O_RDONLY | O_DIRECTORY, to: "list the open files of process \(pid)")
        var found: Set<UInt64> = []
        for number in try table.numbers(in: path) {
            // A descriptor that was closed meanwhile has no link.
            guard let target = try link("fd/\(number)"), let inode = target.socketInode else { continue }
            found.insert(inode)
        }
        return found
    }

    /// Device and inode of the file that the process executes; `nil` for kernel threads and zombies.
    public func executableFile() throws(Failure) -> (device: UInt64, inode: UInt64)? {
        var facts = Glibc.stat()
        guard fstatat(directory.number, "exe", &facts, 0) == 0 else {
            if errno == ENOENT { return nil }
            throw Failure(errno: errno, "look at the executable of process \(pid)", on: BytePath("exe"))
        }
        return (UInt64(facts.st_dev), UInt64(facts.st_ino))
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
