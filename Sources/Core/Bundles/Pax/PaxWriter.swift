import Base
import CArchive

/// Frames entries as a pax interchange archive, by libarchive and nothing else of it: no filter, no look at the file
/// system, no locale. Names go in as bytes with `hdrcharset=BINARY`, attributes as `SCHILY.xattr`, sparse files as
/// GNU.sparse 1.0. Source: archive_write(3), archive_write_set_options(3), tar(5).
final class PaxWriter {
    /// Headers beyond this are refused by readers; libarchive's own limit is 1 MiB.
    static let largestNames = 256 << 10
    static let largestAttributes = 512 << 10
    static let mostSegments = 65_536

    private let archive: OpaquePointer
    private let entry: OpaquePointer
    private let sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    private var sinkFailure: Failure?
    private var isOpen = false

    init(sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        guard let archive = archive_write_new() else {
            throw Failure(.system, "frame an archive", on: "pax", because: "no memory")
        }
        guard let entry = archive_entry_new() else {
            archive_write_free(archive)
            throw Failure(.system, "frame an archive", on: "pax", because: "no memory")
        }
        self.archive = archive
        self.entry = entry
        self.sink = sink
        try require(archive_write_set_format_pax(archive))
        try require(archive_write_add_filter_none(archive))
        try require(archive_write_set_format_option(archive, "pax", "hdrcharset", "BINARY"))
        try require(archive_write_set_format_option(archive, "pax", "xattrheader", "SCHILY"))
        // Unblocked: content goes to the sink from where it lies, not through a block of libarchive's own.
        try require(archive_write_set_bytes_per_block(archive, 0))
        let context = Unmanaged.passUnretained(self).toOpaque()
        try require(archive_write_open(archive, context, nil, deliverToWriter, nil))
        isOpen = true
    }

    deinit {
        if isOpen { archive_write_fail(archive) }
        archive_write_free(archive)
        archive_entry_free(entry)
    }

    /// Writes the header of `subject`; gives libarchive's warning when it could not keep everything.
    func begin(_ subject: ArchiveEntry, segments: [ArchiveEntry.Segment]?) throws(Failure) -> String? {
        archive_entry_clear(entry)
        subject.mtreePath.withTerminator { archive_entry_copy_pathname(entry, $0) }
        archive_entry_set_perm(entry, mode_t(subject.mode & 0o7777))
        archive_entry_set_uid(entry, la_int64_t(subject.uid))
        archive_entry_set_gid(entry, la_int64_t(subject.gid))
        let modified = PaxTime.written(subject.modified)
        archive_entry_set_mtime(entry, Int(modified.seconds), Int(modified.nanoseconds))
        if let changed = subject.changed.map(PaxTime.written) {
            archive_entry_set_ctime(entry, Int(changed.seconds), Int(changed.nanoseconds))
        }
        archive_entry_set_size(entry, 0)
        archive_entry_set_filetype(entry, subject.kind.fileType)
        switch subject.kind {
        case .file(let size, _):
            archive_entry_set_size(entry, la_int64_t(clamping: size))
            addSegments(segments, size: size)
        case .symlink(let target): target.bytes.withTerminator { archive_entry_copy_symlink(entry, $0) }
        case .hardLink(let original, _, _):
            ([UInt8(ascii: "."), UInt8(ascii: "/")] + original.bytes).withTerminator {
                archive_entry_copy_hardlink(entry, $0)
            }
        case .block(let major, let minor), .character(let major, let minor):
            archive_entry_set_rdevmajor(entry, dev_t(major))
            archive_entry_set_rdevminor(entry, dev_t(minor))
        case .directory, .fifo, .socket: break
        }
        let dropped = addAttributes(subject.attributes)
        let status = archive_write_header(archive, entry)
        if status == ARCHIVE_WARN { return problem }
        try require(status)
        return dropped
    }

    /// Content of the entry, in order, never more than its size.
    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            let count = archive_write_data(archive, rest.baseAddress, rest.count)
            if let sinkFailure { throw sinkFailure }
            guard count > 0 else {
                throw Failure(.system, "write an archive", on: "pax", because: count == 0 ? "no progress" : problem)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Ends the entry.
    func end() throws(Failure) { try require(archive_write_finish_entry(archive)) }

    /// Ends the archive with two blocks of zeros.
    func close() throws(Failure) {
        isOpen = false
        try require(archive_write_close(archive))
    }

    private func addSegments(_ segments: [ArchiveEntry.Segment]?, size: UInt64) {
        guard let segments else { return }
        if segments.isEmpty { archive_entry_sparse_add_entry(entry, 0, 0) }
        for segment in segments {
            archive_entry_sparse_add_entry(entry, la_int64_t(segment.offset), la_int64_t(segment.length))
        }
    }

    private func addAttributes(_ attributes: [ArchiveEntry.Attribute]) -> String? {
        var room = Self.largestAttributes
        var dropped = 0
        for attribute in attributes {
            room -= attribute.name.bytes.count + attribute.value.count
            if room < 0 {
                dropped += 1
                continue
            }
            attribute.name.withCString { name in
                attribute.value.withUnsafeBytes { archive_entry_xattr_add_entry(entry, name, $0.baseAddress, $0.count) }
            }
        }
        return dropped == 0 ? nil : "\(dropped) extended attributes do not fit into the header"
    }

    private var problem: String {
        archive_error_string(archive).map { String(cString: $0) } ?? "no reason given"
    }

    private func require(_ status: Int32) throws(Failure) {
        if let sinkFailure { throw sinkFailure }
        guard status == ARCHIVE_OK else { throw Failure(.system, "write an archive", on: "pax", because: problem) }
    }

    fileprivate func deliver(_ bytes: UnsafeRawBufferPointer) -> Int {
        if sinkFailure != nil { return -1 }
        do throws(Failure) {
            try sink(bytes)
            return bytes.count
        } catch {
            sinkFailure = error
            return -1
        }
    }
}

/// What libarchive calls with each block; -1 makes it stop.
private func deliverToWriter(
    _: OpaquePointer?,
    context: UnsafeMutableRawPointer?,
    bytes: UnsafeRawPointer?,
    count: Int
) -> Int {
    guard let context else { return -1 }
    let writer = Unmanaged<PaxWriter>.fromOpaque(context).takeUnretainedValue()
    return writer.deliver(UnsafeRawBufferPointer(start: bytes, count: count))
}

extension ArchiveEntry.Kind {
    /// AE_IFMT bits; the macros of archive_entry.h hold a cast that Swift does not import.
    var fileType: UInt32 {
        switch self {
        case .file, .hardLink: 0o100000
        case .directory: 0o040000
        case .symlink: 0o120000
        case .fifo: 0o010000
        case .socket: 0o140000
        case .block: 0o060000
        case .character: 0o020000
        }
    }
}

extension [UInt8] {
    func withTerminator(_ body: (UnsafePointer<CChar>) -> Void) { BytePath(self).withCString(body) }
}
