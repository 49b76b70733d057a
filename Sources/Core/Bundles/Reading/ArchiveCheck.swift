import Base

/// Compares an archive with its mtree in one streaming pass: each entry of the archive must make exactly the next line of
/// the mtree that is not marked optional, no path may stand twice, and a directory comes before what lies in it.
struct ArchiveCheck: ~Copyable {
    let root: ArchivedRoot
    let store: MemberStore
    private var digest = ContentDigest()
    private var seen: Set<Int> = []
    private var directories: Set<Int> = []

    init(_ root: ArchivedRoot, in store: MemberStore) {
        self.root = root
        self.store = store
    }

    mutating func run() throws(Problem) {
        let pass = try ArchivePass(root, in: store)
        while let entry = try pass.next() {
            try requirePlace(of: entry)
            let sum = try readContent(of: entry, in: pass)
            try compare(pass.line, with: entry, digest: sum)
        }
    }

    private mutating func readContent(of entry: ArchiveEntry, in pass: ArchivePass) throws(Problem) -> Digest? {
        guard case .file(let size, let segments) = entry.kind else {
            if case .hardLink(_, _, let digest) = entry.kind { return digest }
            return nil
        }
        let map = try posing { () throws(Failure) -> SegmentMap? in
            guard let segments else { return nil }
            return try SegmentMap(segments, size: size, most: .max, block: 1)
        }
        digest.begin(size: size, map: map)
        var position: UInt64 = 0
        while let (offset, bytes) = try pass.reader.nextData() {
            guard offset >= position, offset <= size, UInt64(bytes.count) <= size - offset else {
                throw wrong(entry, "content within \(size) bytes", "a stretch at \(offset)")
            }
            digest.skip(offset - position)
            digest.update(bytes)
            position = offset + UInt64(bytes.count)
        }
        digest.skip(size - position)
        let sum = digest.finish()
        guard digest.scope == .content else { return nil }
        pass.remember(sum, of: entry)
        return sum
    }

    private func compare(_ line: [UInt8], with entry: ArchiveEntry, digest: Digest?) throws(Problem) {
        let expected = MtreeLine.bytes(of: entry, digest: digest).dropLast()
        if line.elementsEqual(expected) { return }
        if case .hardLink = entry.kind, line.elementsEqual(MtreeLine.bytes(of: entry, digest: nil).dropLast()) {
            return
        }
        throw wrong(
            entry,
            "from the archive \(String(decoding: expected, as: UTF8.self))",
            "in the mtree \(String(decoding: line, as: UTF8.self))"
        )
    }

    private mutating func requirePlace(of entry: ArchiveEntry) throws(Problem) {
        let path = entry.path.bytes
        guard seen.insert(key(path[...])).inserted else { throw wrong(entry, "each path once", "it stands twice") }
        if entry.kind == .directory { directories.insert(key(path[...])) }
        if entry.isRoot { return }
        let parent = path.lastIndex(of: UInt8(ascii: "/")).map { path[..<$0] } ?? path[..<0]
        guard directories.contains(key(parent)) else {
            throw wrong(entry, "its directory before it", "none")
        }
    }

    private func key(_ path: ArraySlice<UInt8>) -> Int {
        var hasher = Swift.Hasher()
        path.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    private func wrong(_ entry: ArchiveEntry, _ expected: String, _ found: String) -> Problem {
        let path = String(decoding: entry.mtreePath, as: UTF8.self)
        return .finding(
            VerificationFinding(.archive, in: "\(root.subject): \(path)", expected: expected, found: found)
        )
    }
}
