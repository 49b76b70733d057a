import Base
import Glibc
import Sealing

/// The signed notes beside the database, one JSON string a line: so that the removal of the last entries is seen without
/// a bundle at hand. Written after the commit and not synced: a missing line weakens nothing that the database proves.
struct CheckpointFile: Sendable {
    let path: BytePath

    static func draft(of note: SignedNote) -> EntryDraft {
        EntryDraft(.checkpoint, ["note": .string(note.text)], by: .quell)
    }

    /// Appends one note. A failure is no error: the note stands in the database too.
    func add(_ note: SignedNote) {
        let file = path.withCString { open($0, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        guard file >= 0 else { return }
        defer { close(file) }
        let line = CanonicalJSON.bytes(of: .string(note.text)) + [UInt8(ascii: "\n")]
        _ = write(file, line, line.count)
    }

    /// All notes; an absent file has none, and a torn last line is left out.
    ///
    /// - Throws: `malformed` when another line is no note.
    func all() throws(Failure) -> [SignedNote] {
        guard let bytes = try SmallFile.read(path, limit: 64 << 20) else { return [] }
        var notes: [SignedNote] = []
        for line in bytes.completeLines {
            guard let text = try JSONReader.read(Array(line)).string else {
                throw Entry.malformed("a line of the checkpoints is no text")
            }
            notes.append(try SignedNote(parsing: text))
        }
        return notes
    }
}

/// Reads whole files of our own.
enum SmallFile {
    /// The bytes, or `nil` when there is no such file; no link is followed.
    static func read(_ path: BytePath, limit: Int) throws(Failure) -> [UInt8]? {
        let file = path.withCString { open($0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) }
        guard file >= 0 else {
            let number = errno
            if number == ENOENT { return nil }
            throw Failure(errno: number, "open the file", on: path)
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(errno: errno, "read the file", on: path) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else {
                throw Failure(.malformed, "read the file", on: "\(path)", because: "longer than \(limit) bytes")
            }
        }
    }
}

extension [UInt8] {
    /// The lines that end with a newline.
    var completeLines: [ArraySlice<UInt8>] {
        guard let end = lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        return self[..<end].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    }

    /// What stands behind the last newline: a line that was torn by a crash.
    var tornLine: ArraySlice<UInt8> {
        guard let end = lastIndex(of: UInt8(ascii: "\n")) else { return self[...] }
        return self[(end + 1)...]
    }
}
