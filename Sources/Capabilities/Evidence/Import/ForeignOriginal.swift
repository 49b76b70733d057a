import Base
import Bundles
import Glibc
import Sealing

/// The file that is brought in, held open: what is copied is one file, whatever comes to stand under its name.
struct ForeignOriginal: ~Copyable {
    private let path: BytePath
    private let descriptor: Int32
    private let before: stat

    /// - Throws: `malformed` when it is not a regular file, with a hint for a directory; `system` with errno, ELOOP for a
    ///   link.
    init(opening path: BytePath) throws(Failure) {
        (descriptor, before) = try ForeignOriginal.open(path)
        self.path = path
    }

    private static func open(_ path: BytePath) throws(Failure) -> (Int32, stat) {
        let descriptor = path.withCString { Glibc.open($0, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC) }
        guard descriptor >= 0 else { throw Failure(errno: errno, "bring in the evidence", on: path) }
        var status = stat()
        let problem = fstat(descriptor, &status) == 0 ? 0 : errno
        if problem == 0, status.st_mode & S_IFMT == S_IFREG { return (descriptor, status) }
        close(descriptor)
        if problem != 0 { throw Failure(errno: problem, "bring in the evidence", on: path) }
        let isFolder = status.st_mode & S_IFMT == S_IFDIR
        throw Failure(
            .malformed,
            "bring in the evidence",
            on: "\(path)",
            because: isFolder ? "a directory has no bytes of its own that could be sealed" : "not a regular file",
            hint: isFolder ? "pack it into one file first: tar -cf FILE.tar -C PARENT NAME" : nil
        )
    }

    deinit { close(descriptor) }

    /// Copies it bit for bit, in one part or in several.
    func copy(
        into writer: BundleWriter,
        partSize: UInt64
    ) throws(Failure) -> (ImportRecord.Original, weak: (md5: String, sha1: String)) {
        let size = UInt64(clamping: before.st_size)
        var original = ImportRecord.Original(
            name: path.lastComponent,
            parts: [],
            size: 0,
            sha256: SHA256.digest(of: [UInt8]()),
            changedMeanwhile: false
        )
        var hasher = Sealing.Hasher()
        var weak = WeakDigests()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var stream: PayloadStream?
        var room: UInt64 = 0
        var isAtEnd = false
        while !isAtEnd {
            if room == 0 {
                try stream?.close()
                let number = original.parts.count
                let name = size <= partSize ? "original" : "original." + String(1000 + number).dropFirst()
                stream = try writer.stream(try PayloadName("data/imported/\(name)"))
                original.parts.append("data/imported/\(name)")
                room = partSize
            }
            // Not beyond the size that it had: a file that grows would never end.
            let wanted = Int(min(UInt64(buffer.count), room, size - min(size, original.size)))
            let count = wanted == 0 ? 0 : try read(&buffer, wanted)
            isAtEnd = count == 0 || original.size + UInt64(count) == size
            let part = Array(buffer[..<count])
            part.withUnsafeBytes { bytes in
                hasher.update(bytes)
                weak.update(bytes)
            }
            try stream?.append(part)
            original.size += UInt64(count)
            room -= UInt64(count)
        }
        try stream?.close()
        original.sha256 = hasher.finish()
        original.changedMeanwhile = try hasChanged() || original.size != size
        return (original, weak.finish())
    }

    private func read(_ buffer: inout [UInt8], _ wanted: Int) throws(Failure) -> Int {
        while true {
            let count = Glibc.read(descriptor, &buffer, wanted)
            if count >= 0 { return count }
            let problem = errno
            if problem != EINTR { throw Failure(errno: problem, "read the evidence", on: path) }
        }
    }

    private func hasChanged() throws(Failure) -> Bool {
        var now = stat()
        guard fstat(descriptor, &now) == 0 else { throw Failure(errno: errno, "look at the evidence", on: path) }
        return now.st_size != before.st_size || now.st_mtim.tv_sec != before.st_mtim.tv_sec
            || now.st_mtim.tv_nsec != before.st_mtim.tv_nsec
    }
}
