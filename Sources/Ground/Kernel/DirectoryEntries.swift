public import Base
internal import CLinux
internal import Glibc

extension Descriptor {
    /// Calls `body` with the name and the d_type of each entry but `.` and `..`, streaming getdents64(2) through one
    /// buffer of 32 KiB. The order is the kernel's. The descriptor's position is moved to the start first.
    public func forEachEntry(
        of path: BytePath,
        _ body: (UnsafeRawBufferPointer, UInt8) throws(Failure) -> Void
    ) throws(Failure) {
        guard lseek(number, 0, SEEK_SET) >= 0 else { throw Failure(errno: errno, "list", on: path) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32_768, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let filled = repeating { quell_getdents(number, buffer.baseAddress, buffer.count) }
            guard filled >= 0 else { throw Failure(errno: errno, "list", on: path) }
            if filled == 0 { return }
            var position = 0
            while position < filled {
                // struct linux_dirent64: u64 inode, s64 offset, u16 length, u8 type, name with NUL.
                let length = Int(buffer.loadUnaligned(fromByteOffset: position + 16, as: UInt16.self))
                let type = buffer.loadUnaligned(fromByteOffset: position + 18, as: UInt8.self)
                let field = UnsafeRawBufferPointer(rebasing: buffer[(position + 19)..<(position + length)])
                let name = UnsafeRawBufferPointer(rebasing: field[..<(field.firstIndex(of: 0) ?? field.endIndex)])
                position += length
                if isSelfOrParent(name) { continue }
                try body(name, type)
            }
        }
    }

    /// The names of the entries that are directories, in the kernel's order.
    public func subdirectories(of path: BytePath) throws(Failure) -> [BytePath] {
        var names: [BytePath] = []
        try forEachEntry(of: path) { name, type throws(Failure) in
            if type == UInt8(DT_DIR) { names.append(BytePath(name)) }
        }
        return names
    }

    /// The names of the entries that are decimal numbers: pids in /proc, threads in task, descriptors in fd.
    public func numbers(in path: BytePath) throws(Failure) -> [Int32] {
        var found: [Int32] = []
        try forEachEntry(of: path) { name, _ throws(Failure) in
            if let number = Decimal.int32(name) { found.append(number) }
        }
        return found
    }

    /// The same as far as it comes until the deadline.
    func numbers(in path: BytePath, by deadline: Deadline) throws(Failure) -> [Int32] {
        var found: [Int32] = []
        var isOver = false
        try forEachEntry(of: path) { name, _ throws(Failure) in
            guard !isOver, let number = Decimal.int32(name) else { return }
            found.append(number)
            if found.count % 1024 == 0 { isOver = deadline.hasPassed }
        }
        return found
    }

    private func isSelfOrParent(_ name: UnsafeRawBufferPointer) -> Bool {
        guard let first = name.first, first == UInt8(ascii: ".") else { return false }
        return name.count == 1 || (name.count == 2 && name[1] == UInt8(ascii: "."))
    }
}
