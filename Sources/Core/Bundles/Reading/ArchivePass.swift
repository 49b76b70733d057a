import Base

/// One pass over an archived root: volumes, one zstd frame, pax entries, and the lines of the mtree in step with them.
///
/// pax has no place for the number of names of a file, so it comes from the mtree. Originals of hard links are remembered,
/// and only those.
final class ArchivePass {
    private struct Original {
        let size: UInt64
        var digest: Digest?
    }

    let reader: PaxReader
    /// The line of the mtree for the entry read last.
    private(set) var line: [UInt8] = []
    private let root: ArchivedRoot
    private let lines: LineReader
    private var originals: [BytePath: Original] = [:]

    init(_ root: ArchivedRoot, in store: MemberStore) throws(Problem) {
        self.root = root
        guard let list = try posing({ () throws(Failure) in try store.open(root.mtree.name.text) }) else {
            throw .finding(VerificationFinding(.members, in: root.mtree.name.text, expected: "a file", found: "none"))
        }
        lines = LineReader(list)
        let volumes = VolumeSource(root.volumes, in: store)
        let decompressor = try ZstdDecompressor(name: root.subject) { buffer throws(Problem) in
            try volumes.read(into: buffer)
        }
        reader = try PaxReader(name: root.subject) { () throws(Problem) in try decompressor.next() }
    }

    /// The next entry; a hard link with the size and digest of its original, which must stand before it. At the end both
    /// archive and mtree have ended.
    func next() throws(Problem) -> ArchiveEntry? {
        guard var entry = try reader.next() else {
            if let line = try nextArchived() {
                let place = "\(root.subject): \(MtreeLine.path(of: line))"
                throw wrong(place, "an entry of the archive for each line of the mtree", "none for this line")
            }
            return nil
        }
        guard let line = try nextArchived() else {
            let place = "\(root.subject): \(String(decoding: entry.mtreePath, as: UTF8.self))"
            throw wrong(place, "a line of the mtree for each entry of the archive", "none for this entry")
        }
        self.line = line
        entry.links = MtreeLine.links(of: line)
        switch entry.kind {
        case .file(let size, _) where entry.links > 1: originals[entry.path] = Original(size: size, digest: nil)
        case .hardLink(let original, _, _):
            guard let known = originals[original] else {
                throw reader.wrong("a link to a file with several names that stands before it", "\(original)")
            }
            entry.kind = .hardLink(original: original, size: known.size, digest: known.digest)
        default: break
        }
        return entry
    }

    /// Remembers the digest of a file that hard links may name later.
    func remember(_ digest: Digest, of entry: ArchiveEntry) {
        if entry.links > 1 { originals[entry.path]?.digest = digest }
    }

    /// The next line that is neither a comment nor optional.
    private func nextArchived() throws(Problem) -> [UInt8]? {
        while let line = try lines.next() {
            if line.first == UInt8(ascii: "#") || MtreeLine.isOptional(line) { continue }
            return line
        }
        return nil
    }

    private func wrong(_ place: String, _ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.archive, in: place, expected: expected, found: found))
    }
}
