import Base

/// Compares an archive with its mtree in one streaming pass: each entry of the archive must make exactly the next line of
/// the mtree that is not marked optional, no path may stand twice, and a directory comes before what lies in it. A line that
/// is marked optional is of the closed form and has its place too; how many there are is told.
struct ArchiveCheck: ~Copyable {
    let root: ArchivedRoot
    let store: MemberStore
    private var digest = ContentDigest()

    init(_ root: ArchivedRoot, in store: MemberStore) {
        self.root = root
        self.store = store
    }

    /// Gives how many entries the mtree only lists.
    mutating func run() throws(Problem) -> Int {
        let places = ArchivePlaces(root)
        let pass = try ArchivePass(root, in: store) { listing throws(Problem) in try places.take(listing) }
        while let entry = try pass.next() {
            try places.take(entry)
            let sum = try readContent(of: entry, in: pass)
            try compare(pass.line, with: entry, digest: sum)
        }
        return places.listed
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

    private func wrong(_ entry: ArchiveEntry, _ expected: String, _ found: String) -> Problem {
        let path = String(decoding: entry.mtreePath, as: UTF8.self)
        return .finding(
            VerificationFinding(.archive, in: "\(root.subject): \(path)", expected: expected, found: found)
        )
    }
}
