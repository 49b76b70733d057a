public import Base
import Glibc

/// A file whose form is not known, read at any place and never believed. It may lie in several parts.
public final class ForeignFile: Sendable {
    private struct Part: Sendable {
        let file: PackedFile
        /// Where it begins in its file.
        let base: UInt64
        /// Where it begins in the whole.
        let start: UInt64
        let size: UInt64
    }

    private enum Place: Sendable {
        case parts([Part])
        case memory([UInt8])
    }

    /// Bytes.
    public let size: UInt64
    private let place: Place

    /// Opens the parts, which are read one after the other as if they were one file.
    ///
    /// - Throws: `malformed` when one is not a regular file; `system` with errno, ELOOP for a symbolic link.
    public init(opening paths: [BytePath]) throws(Failure) {
        var parts: [Part] = []
        var end: UInt64 = 0
        for path in paths {
            let flags = O_RDONLY | O_NONBLOCK
            let descriptor = try OwnedDescriptor.open(path, flags: flags, attempt: "open the foreign evidence")
            let status = try descriptor.status(of: path)
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw Failure(.malformed, "open the foreign evidence", on: "\(path)", because: "not a regular file")
            }
            let size = UInt64(clamping: status.st_size)
            parts.append(Part(file: PackedFile(path, descriptor), base: 0, start: end, size: size))
            end += size
        }
        size = end
        place = .parts(parts)
    }

    /// The payload files of a bundle, one after the other.
    init(_ names: [PayloadName], in store: MemberStore) throws(Failure) {
        var parts: [Part] = []
        var end: UInt64 = 0
        for name in names {
            guard let member = store.members[name.text] else {
                throw Failure(.notFound, "read the foreign evidence", on: name.text, because: "there is no such file")
            }
            let file: PackedFile
            switch store.place {
            case .packed(let packed): file = packed
            case .directory(let directory):
                file = PackedFile(directory.subject(name.text), try directory.open(name.text))
            }
            parts.append(Part(file: file, base: member.offset, start: end, size: member.size))
            end += member.size
        }
        size = end
        place = .parts(parts)
    }

    /// Bytes in memory.
    init(bytes: [UInt8]) {
        size = UInt64(bytes.count)
        place = .memory(bytes)
    }

    /// Reads up to the buffer's size at `offset`; 0 at the end.
    ///
    /// - Throws: `changed` when a file is shorter than it was; `system` with errno.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) -> Int {
        guard offset < size, !buffer.isEmpty else { return 0 }
        switch place {
        case .memory(let bytes):
            let count = min(buffer.count, bytes.count - Int(offset))
            bytes.withUnsafeBytes { buffer.copyMemory(from: .init(rebasing: $0[Int(offset)..<(Int(offset) + count)])) }
            return count
        case .parts(let parts):
            guard let part = parts.last(where: { $0.start <= offset && $0.size > 0 }) else { return 0 }
            let inner = offset - part.start
            let wanted = min(buffer.count, Int(clamping: part.size - inner))
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
            let count = try part.file.descriptor.read(into: target, at: part.base + inner, of: part.file.path)
            guard count > 0 else {
                let path = "\(part.file.path)"
                throw Failure(.changed, "read the foreign evidence", on: path, because: "it became shorter meanwhile")
            }
            return count
        }
    }

    /// All of it, which the caller has bounded by ``size``.
    ///
    /// - Throws: as ``read(into:at:)``.
    public func all() throws(Failure) -> [UInt8] { try bytes(at: 0, count: Int(clamping: size)) }

    /// `count` bytes at `offset`, fewer only where the file ends.
    func bytes(at offset: UInt64, count: Int) throws(Failure) -> [UInt8] {
        guard offset < size else { return [] }
        var bytes = [UInt8](repeating: 0, count: min(count, Int(clamping: size - offset)))
        var filled = 0
        while filled < bytes.count {
            let start = filled
            var read: Result<Int, Failure> = .success(0)
            bytes.withUnsafeMutableBytes { buffer in
                do throws(Failure) {
                    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[start...])
                    read = .success(try self.read(into: rest, at: offset + UInt64(start)))
                } catch {
                    read = .failure(error)
                }
            }
            let count = try read.get()
            if count == 0 { break }
            filled += count
        }
        return Array(bytes[..<filled])
    }
}

extension VerifiedBundle {
    /// Payload files as one file that an archive may be read from. Their digests are not checked while it is read: whoever
    /// hands content on compares what was read.
    ///
    /// - Throws: `notFound` when there is no such file, `system` with errno.
    public func foreignFile(_ names: [PayloadName]) throws(Failure) -> ForeignFile {
        try ForeignFile(names, in: store)
    }
}
