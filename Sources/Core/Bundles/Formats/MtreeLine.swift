import Base

/// The lines of an mtree file as NetBSD's mtree(8) reads them: names octal-escaped and relative to `.`, one object a
/// line, numbers for owners, times as seconds, a point and nine digits of nanoseconds.
///
/// Escaped are white space, control characters, bytes beyond ASCII, the backslash, `#`, and `*?[]`, which mtree(8) would
/// take for a pattern. A line stands for the archive's entry in full: the verifier makes it again from the archive and
/// compares the bytes.
enum MtreeLine {
    static let header = """
        #mtree
        # Written by Quell beside the archive of the same name, from the same read of each file.
        # Check an unpacked archive with: mtree -f THIS_FILE -p DIRECTORY (mtree-netbsd)
        # Lines marked optional are recorded here only: the archive holds no object for them.

        """

    /// The line of `entry` with its line feed. `digest` stands in it only for content in its full length.
    static func bytes(of entry: ArchiveEntry, digest: Digest?) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        appendEscaped(entry.mtreePath, to: &line)
        line += " type=\(entry.mtreeType) mode=0\(String(entry.mode & 0o7777, radix: 8))".utf8
        line += " uid=\(entry.uid) gid=\(entry.gid)".utf8
        if entry.kind != .directory { line += " nlink=\(entry.links)".utf8 }
        switch entry.kind {
        case .file(let size, _), .hardLink(_, let size, _): line += " size=\(size)".utf8
        case .symlink(let target):
            line += " link=".utf8
            appendEscaped(target.bytes, to: &line)
        case .block(let major, let minor), .character(let major, let minor):
            line += " device=native,\(major),\(minor)".utf8
        case .directory, .fifo, .socket: break
        }
        line += " time=\(entry.modified.seconds).\(nineDigits(entry.modified.nanoseconds))".utf8
        if let digest { line += " sha256=\(digest.hex)".utf8 }
        if !entry.isArchived { line += " optional".utf8 }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    /// Whether `line` is the one of `entry`, with the digest of some content or with none.
    static func agrees(_ line: [UInt8], with entry: ArchiveEntry) -> Bool {
        let plain = bytes(of: entry, digest: nil).dropLast()
        guard line.starts(with: plain) else { return false }
        let rest = line.dropFirst(plain.count)
        return rest.isEmpty || rest.count == 72 && rest.starts(with: " sha256=".utf8)
    }

    /// Whether a line is marked as not in the archive.
    static func isOptional(_ line: some Collection<UInt8>) -> Bool {
        Array(line.suffix(9)) == Array(" optional".utf8)
    }

    /// The path as it stands at the start of a line.
    static func path(of line: some Collection<UInt8>) -> String {
        String(decoding: line.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
    }

    /// The number of names of the object; 1 when the line has none, as for directories.
    static func links(of line: [UInt8]) -> UInt64 {
        for word in line.split(separator: UInt8(ascii: " ")) where word.starts(with: "nlink=".utf8) {
            return UInt64(String(decoding: word.dropFirst(6), as: UTF8.self)) ?? 1
        }
        return 1
    }

    static func appendEscaped(_ bytes: [UInt8], to line: inout [UInt8]) {
        for byte in bytes {
            if isPlain(byte) {
                line.append(byte)
            } else {
                line.append(UInt8(ascii: "\\"))
                line.append(UInt8(ascii: "0") + (byte >> 6))
                line.append(UInt8(ascii: "0") + (byte >> 3 & 7))
                line.append(UInt8(ascii: "0") + (byte & 7))
            }
        }
    }

    /// Whether a byte stands in a line as it is.
    static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\\"), UInt8(ascii: "#"), UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["),
            UInt8(ascii: "]"), UInt8(ascii: "="):
            false
        default: byte > 0x20 && byte < 0x7F
        }
    }

    private static func nineDigits(_ value: UInt32) -> String {
        let digits = String(value)
        return String(repeating: "0", count: 9 - digits.utf8.count) + digits
    }
}

extension ArchiveEntry {
    /// Whether the archive holds an object for this entry.
    var isArchived: Bool { kind != .socket && !isMetadataOnly }

    /// The path with `./` in front, `.` for the root.
    var mtreePath: [UInt8] {
        isRoot ? [UInt8(ascii: ".")] : [UInt8(ascii: "."), UInt8(ascii: "/")] + path.bytes
    }

    /// Whether this is the root itself.
    var isRoot: Bool { path.isEmpty || path == BytePath(".") }

    fileprivate var mtreeType: String {
        switch kind {
        case .file, .hardLink: "file"
        case .directory: "dir"
        case .symlink: "link"
        case .fifo: "fifo"
        case .socket: "socket"
        case .block: "block"
        case .character: "char"
        }
    }
}
