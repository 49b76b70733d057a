import Base

/// Which paths of an archived root came so far, archived or only listed: each once, behind the directory that it lies in.
final class ArchivePlaces {
    /// How many were only listed.
    private(set) var listed = 0

    private let root: ArchivedRoot
    private var seen: Set<Int> = []
    private var directories: Set<Int> = []

    init(_ root: ArchivedRoot) { self.root = root }

    func take(_ entry: ArchiveEntry) throws(Problem) {
        var path: [UInt8] = []
        MtreeLine.appendEscaped(entry.mtreePath, to: &path)
        let above = entry.isRoot ? nil : path[..<(path.lastIndex(of: UInt8(ascii: "/")) ?? 0)]
        try take(path[...], in: above, isDirectory: entry.kind == .directory)
    }

    func take(_ listing: MtreeListing) throws(Problem) {
        try take(listing.path, in: listing.parent, isDirectory: listing.isDirectory)
        listed += 1
    }

    private func take(_ path: ArraySlice<UInt8>, in above: ArraySlice<UInt8>?, isDirectory: Bool) throws(Problem) {
        guard seen.insert(key(path)).inserted else { throw wrong(path, "each path once", "it stands twice") }
        if isDirectory { directories.insert(key(path)) }
        guard let above else { return }
        guard directories.contains(key(above)) else { throw wrong(path, "its directory before it", "none") }
    }

    private func key(_ path: ArraySlice<UInt8>) -> Int {
        var hasher = Swift.Hasher()
        path.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    private func wrong(_ path: ArraySlice<UInt8>, _ expected: String, _ found: String) -> Problem {
        let place = "\(root.subject): \(String(decoding: path, as: UTF8.self))"
        return .finding(VerificationFinding(.archive, in: place, expected: expected, found: found))
    }
}
