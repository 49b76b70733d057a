import Base
import Glibc
import Sealing

/// The file of a chain, locked while somebody adds to it. Its whole lines only grow.
final class CustodyFile {
    private let path: BytePath
    private let descriptor: Int32

    /// Opens it to add; `nil` when there is none and none is to be made.
    init?(_ path: BytePath, creating: Bool) throws(Failure) {
        self.path = path
        let flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (creating ? O_CREAT : 0)
        descriptor = path.withCString { open($0, flags, 0o600) }
        if descriptor < 0, errno == ENOENT, !creating { return nil }
        guard descriptor >= 0 else { throw Failure(errno: errno, "open the custody", on: path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(
                .refused,
                "open the custody",
                on: String(decoding: path.bytes, as: UTF8.self),
                because: "not a regular file"
            )
        }
        guard flock(descriptor, LOCK_EX) == 0 else { throw Failure(errno: errno, "lock the custody", on: path) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func contents() throws(Failure) -> [UInt8] { try CustodyFile.contents(descriptor, path) }

    func append(_ bytes: [UInt8]) throws(Failure) { try CustodyFile.write(bytes, to: descriptor, path) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: BytePath) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(errno: errno, "write the custody", on: path) }
            rest = rest.dropFirst(count)
        }
        guard fsync(descriptor) == 0 else { throw Failure(errno: errno, "bring the custody to disk", on: path) }
    }

    /// Puts `count` bytes behind the last line, which a crash left of a record, into a file of their own beside the chain, and
    /// takes them off `text` and the chain.
    ///
    /// - Returns: the file; `nil` when there are no such bytes.
    func putAside(torn count: Int, of text: inout [UInt8]) throws(Failure) -> BytePath? {
        guard count > 0 else { return nil }
        let bytes = Array(text.suffix(count))
        let place = BytePath(path.bytes + Array(".torn-\(SHA256.digest(of: bytes).hex.prefix(16))".utf8))
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
        let file = place.withCString { open($0, flags, 0o600) }
        guard file >= 0 else { throw Failure(errno: errno, "keep what is torn of the custody", on: place) }
        defer { close(file) }
        try CustodyFile.write(bytes, to: file, place)
        text.removeLast(count)
        guard ftruncate(descriptor, off_t(text.count)) == 0 else {
            throw Failure(errno: errno, "take off what is torn of the custody", on: path)
        }
        return place
    }

    /// The whole file.
    static func read(_ path: BytePath) throws(Failure) -> [UInt8] {
        let descriptor = path.withCString { open($0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { throw Failure(errno: errno, "open the custody", on: path) }
        defer { close(descriptor) }
        return try contents(descriptor, path)
    }

    private static func contents(_ descriptor: Int32, _ path: BytePath) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = pread(descriptor, &buffer, buffer.count, off_t(bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(errno: errno, "read the custody", on: path) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= CustodyChain.largest else {
                throw Failure(
                    .refused,
                    "read the custody",
                    on: String(decoding: path.bytes, as: UTF8.self),
                    because: "longer than 64 MiB"
                )
            }
        }
    }
}
