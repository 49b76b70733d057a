internal import Base
internal import Glibc
internal import Kernel

/// Reads host files that must be regular.
enum RegularFile {
    /// The bytes, or `nil` when there is no such regular file. Never blocks on a FIFO.
    static func read(_ path: BytePath, limit: Int) -> [UInt8]? {
        do throws(Failure) {
            let file = try Descriptor(opening: path, O_RDONLY | O_NONBLOCK)
            guard try file.identity(of: path).mode & S_IFMT == S_IFREG else { return nil }
            return try file.readToEnd(limit: limit, from: path)
        } catch {
            return nil
        }
    }
}
