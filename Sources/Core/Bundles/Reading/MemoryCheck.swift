import Base

/// Checks data/memory/ against data/memory.jsonl: each stream has exactly one line there, is one whole zstd frame, and its
/// plain content has the size and the digest of the line. Memory that went to its own recipients stands elsewhere and is
/// not looked into here.
struct MemoryCheck {
    static let folder = "data/memory/"
    static let index = "data/memory.jsonl"

    let payload: [PayloadRecord]
    let store: MemberStore

    func run() throws(Problem) {
        var listed = try readIndex()
        for set in try VolumeSet.all(below: Self.folder, in: payload) {
            guard let line = listed.removeValue(forKey: set.name) else {
                throw wrong(Self.index, "a line for \(set.name)", "none")
            }
            let found = try set.read(in: store, most: line.size) { _ in }
            guard found.size == line.size, found.digest.hex == line.digest else {
                throw wrong(
                    set.name,
                    "\(line.size) bytes with the SHA-256 \(line.digest) as \(Self.index) says",
                    "\(found.size) bytes with the SHA-256 \(found.digest)"
                )
            }
        }
        if let missing = listed.keys.sorted().first {
            throw wrong(missing, "the volumes that \(Self.index) names", "none")
        }
    }

    private struct Line {
        let size: UInt64
        let digest: String
    }

    /// What the index says of streams in ``folder``, by their names.
    private func readIndex() throws(Problem) -> [String: Line] {
        guard let record = payload.first(where: { $0.name.text == Self.index }) else { return [:] }
        let lines = try LineReader(record, in: store)
        var listed: [String: Line] = [:]
        var number = 0
        while let bytes = try lines.next() {
            number += 1
            let place = "\(Self.index) line \(number)"
            let value: JSONValue
            do {
                value = try JSONReader.read(bytes, limits: .init(bytes: LineReader.longestLine, depth: 16))
            } catch {
                throw wrong(place, "strict JSON", "\(error.subject): \(error.reason)")
            }
            guard let name = value["stream"]?.string, name.hasPrefix(Self.folder) else { continue }
            guard let size = value["size"]?.integer, size >= 0, let digest = value["sha256"]?.string else {
                throw wrong(place, "size and sha256 of \(name)", "not both")
            }
            let line = Line(size: UInt64(size), digest: digest)
            guard listed.updateValue(line, forKey: name) == nil else {
                throw wrong(place, "each stream once", "\(name) again")
            }
        }
        return listed
    }

    private func wrong(_ file: String, _ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.archive, in: file, expected: expected, found: found))
    }
}
