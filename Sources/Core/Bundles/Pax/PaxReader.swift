import Base
import CArchive

/// Reads a pax interchange archive by libarchive: the tar format and no other, no filter, no look at the file system.
/// A warning of the library is a finding: our own archives give none.
final class PaxReader {
    private let archive: OpaquePointer
    private let name: String
    private let source: () throws(Problem) -> UnsafeRawBufferPointer
    private var sourceProblem: Problem?
    private var delivered: Int64 = 0
    private var pathInWords = ""
    private var framing = TarFraming()

    /// `source` gives the next bytes, empty at the end; `name` is for findings.
    init(name: String, source: @escaping () throws(Problem) -> UnsafeRawBufferPointer) throws(Problem) {
        guard let archive = archive_read_new() else {
            throw .failure(Failure(.system, "read an archive", on: name, because: "no memory"))
        }
        self.archive = archive
        self.name = name
        self.source = source
        try require(archive_read_support_format_tar(archive))
        let context = Unmanaged.passUnretained(self).toOpaque()
        let status = archive_read_open(archive, context, nil, fetchForReader, nil)
        if let sourceProblem { throw sourceProblem }
        try require(status)
    }

    deinit { archive_read_free(archive) }

    /// The next entry; `nil` after the last, when nothing follows the end of the archive.
    func next() throws(Problem) -> ArchiveEntry? {
        var pointer: OpaquePointer?
        let status = archive_read_next_header(archive, &pointer)
        if let sourceProblem { throw sourceProblem }
        if status == ARCHIVE_EOF {
            try requireNothingBehind()
            return nil
        }
        try require(status)
        guard let pointer else { throw wrong("an entry", "none") }
        guard archive_format(archive) == ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE else {
            throw wrong("a pax archive", archive_format_name(archive).map { String(cString: $0) } ?? "another format")
        }
        return try entry(pointer)
    }

    /// The next stretch of data of the entry with its offset, valid until the next call; `nil` at the end.
    func nextData() throws(Problem) -> (offset: UInt64, bytes: UnsafeRawBufferPointer)? {
        var bytes: UnsafeRawPointer?
        var count = 0
        var offset: la_int64_t = 0
        let status = archive_read_data_block(archive, &bytes, &count, &offset)
        if let sourceProblem { throw sourceProblem }
        if status == ARCHIVE_EOF { return nil }
        try require(status)
        return (UInt64(clamping: offset), UnsafeRawBufferPointer(start: bytes, count: count))
    }

    /// A finding about the entry read last.
    func wrong(_ expected: String, _ found: String) -> Problem {
        let place = pathInWords.isEmpty ? name : "\(name): \(pathInWords)"
        return .finding(VerificationFinding(.archive, in: place, expected: expected, found: found))
    }

    private func entry(_ pointer: OpaquePointer) throws(Problem) -> ArchiveEntry {
        let raw = bytes(archive_entry_pathname(pointer))
        pathInWords = String(decoding: raw, as: UTF8.self)
        let kind = try kind(of: pointer)
        return ArchiveEntry(
            path: try path(raw, isDirectory: kind == .directory),
            kind: kind,
            mode: UInt32(archive_entry_perm(pointer)) & 0o7777,
            uid: try ownerNumber(archive_entry_uid(pointer)),
            gid: try ownerNumber(archive_entry_gid(pointer)),
            modified: time(archive_entry_mtime(pointer), archive_entry_mtime_nsec(pointer)),
            changed: archive_entry_ctime_is_set(pointer) == 0
                ? nil : time(archive_entry_ctime(pointer), archive_entry_ctime_nsec(pointer)),
            attributes: try attributes(of: pointer)
        )
    }

    private func time(_ seconds: Int, _ nanoseconds: Int) -> FileTime {
        PaxTime.read(FileTime(seconds: Int64(seconds), nanoseconds: UInt32(clamping: nanoseconds)))
    }

    private func kind(of pointer: OpaquePointer) throws(Problem) -> ArchiveEntry.Kind {
        if let original = archive_entry_hardlink(pointer) {
            return .hardLink(original: try path(bytes(original), isDirectory: false), size: 0, digest: nil)
        }
        let major = UInt32(truncatingIfNeeded: archive_entry_rdevmajor(pointer))
        let minor = UInt32(truncatingIfNeeded: archive_entry_rdevminor(pointer))
        switch UInt32(archive_entry_filetype(pointer)) {
        case 0o100000:
            guard let size = UInt64(exactly: archive_entry_size(pointer)) else {
                throw wrong("a size", "a negative one")
            }
            return .file(size: size, segments: try segments(of: pointer))
        case 0o040000: return .directory
        case 0o120000: return .symlink(target: BytePath(bytes(archive_entry_symlink(pointer))))
        case 0o010000: return .fifo
        case 0o060000: return .block(major: major, minor: minor)
        case 0o020000: return .character(major: major, minor: minor)
        default: throw wrong("a kind of file that an archive holds", "another")
        }
    }

    private func path(_ raw: [UInt8], isDirectory: Bool) throws(Problem) -> BytePath {
        var rest = raw[...]
        if isDirectory, rest.last == UInt8(ascii: "/") { rest = rest.dropLast() }
        if rest.elementsEqual([UInt8(ascii: ".")]) { return BytePath("") }
        guard rest.starts(with: [UInt8(ascii: "."), UInt8(ascii: "/")]) else {
            throw wrong("a path that begins with ./", String(decoding: raw, as: UTF8.self))
        }
        rest = rest.dropFirst(2)
        let components = rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isOdd = components.contains { $0.isEmpty || $0.elementsEqual([0x2E]) || $0.elementsEqual([0x2E, 0x2E]) }
        if isOdd { throw wrong("a path below the root", String(decoding: raw, as: UTF8.self)) }
        return BytePath(rest)
    }

    private func segments(of pointer: OpaquePointer) throws(Problem) -> [ArchiveEntry.Segment]? {
        let count = archive_entry_sparse_reset(pointer)
        guard count > 0 else { return nil }
        var segments: [ArchiveEntry.Segment] = []
        for _ in 0..<count {
            var offset: la_int64_t = 0
            var length: la_int64_t = 0
            guard archive_entry_sparse_next(pointer, &offset, &length) == ARCHIVE_OK else {
                throw wrong("\(count) stretches of data", "\(segments.count)")
            }
            if length > 0 { segments.append(.init(offset: UInt64(clamping: offset), length: UInt64(clamping: length))) }
        }
        return segments
    }

    private func attributes(of pointer: OpaquePointer) throws(Problem) -> [ArchiveEntry.Attribute] {
        var attributes: [ArchiveEntry.Attribute] = []
        let count = archive_entry_xattr_reset(pointer)
        for _ in 0..<count {
            var name: UnsafePointer<CChar>?
            var value: UnsafeRawPointer?
            var size = 0
            guard archive_entry_xattr_next(pointer, &name, &value, &size) == ARCHIVE_OK else {
                throw wrong("\(count) extended attributes", "\(attributes.count)")
            }
            let content = Array(UnsafeRawBufferPointer(start: value, count: size))
            attributes.append(.init(name: BytePath(bytes(name)), value: content))
        }
        return attributes
    }

    private func ownerNumber(_ number: la_int64_t) throws(Problem) -> UInt32 {
        guard let number = UInt32(exactly: number) else { throw wrong("an owner's number", "\(number)") }
        return number
    }

    private func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8] {
        guard let text else { return [] }
        var length = 0
        while text[length] != 0 { length += 1 }
        return text.withMemoryRebound(to: UInt8.self, capacity: length) { start in
            Array(UnsafeBufferPointer(start: start, count: length))
        }
    }

    private func requireNothingBehind() throws(Problem) {
        let end = archive_filter_bytes(archive, 0)
        while true {
            let more = try watched()
            if more.isEmpty { break }
        }
        pathInWords = ""
        guard delivered == end else { throw wrong("nothing behind the archive's end", "\(delivered - end) bytes") }
    }

    private func require(_ status: Int32) throws(Problem) {
        guard status == ARCHIVE_OK else {
            throw wrong("a well-formed archive", archive_error_string(archive).map { String(cString: $0) } ?? "damage")
        }
    }

    /// The next bytes, after the watch over the archive's framing has seen them.
    private func watched() throws(Problem) -> UnsafeRawBufferPointer {
        let bytes = try source()
        let problem = bytes.isEmpty ? framing.finish() : framing.take(bytes)
        if let problem { throw wrong(problem.expected, problem.found) }
        delivered += Int64(bytes.count)
        return bytes
    }

    fileprivate func fetch() -> UnsafeRawBufferPointer? {
        if sourceProblem != nil { return nil }
        do throws(Problem) {
            return try watched()
        } catch {
            sourceProblem = error
            return nil
        }
    }
}

/// What libarchive calls for more bytes; 0 is the end, -1 makes it stop.
private func fetchForReader(
    _: OpaquePointer?,
    context: UnsafeMutableRawPointer?,
    buffer: UnsafeMutablePointer<UnsafeRawPointer?>?
) -> Int {
    guard let context, let buffer else { return -1 }
    let reader = Unmanaged<PaxReader>.fromOpaque(context).takeUnretainedValue()
    guard let bytes = reader.fetch() else { return -1 }
    buffer.pointee = bytes.baseAddress
    return bytes.count
}
