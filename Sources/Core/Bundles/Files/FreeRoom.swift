public import Base
import Glibc

/// Bytes that a file system has free for who has no special rights there. Source: statvfs(3).
public enum FreeRoom {
    /// Of the file system of a folder; `nil` when it does not say.
    public static func of(folder: BytePath) -> UInt64? {
        var status = statvfs()
        guard folder.withCString({ statvfs($0, &status) }) == 0 else { return nil }
        return bytes(of: status)
    }

    /// Of the file system of an open file; `nil` when it does not say.
    public static func of(descriptor: Int32) -> UInt64? {
        var status = statvfs()
        guard fstatvfs(descriptor, &status) == 0 else { return nil }
        return bytes(of: status)
    }

    /// What the numbers of a file system mean. One that counts no blocks at all, as some in user space and some servers, is
    /// not full: it does not say.
    ///
    /// - Parameters:
    ///   - free: Blocks that are free for everybody.
    ///   - blocks: Blocks that it has.
    ///   - size: Bytes in a block.
    public static func bytes(free: UInt64, of blocks: UInt64, size: UInt64) -> UInt64? {
        guard blocks > 0 else { return nil }
        let (bytes, isTooLarge) = free.multipliedReportingOverflow(by: size)
        return isTooLarge ? .max : bytes
    }

    private static func bytes(of status: statvfs) -> UInt64? {
        bytes(free: UInt64(status.f_bavail), of: UInt64(status.f_blocks), size: UInt64(status.f_frsize))
    }
}
