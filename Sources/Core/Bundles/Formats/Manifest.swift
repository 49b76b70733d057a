import Base

/// A BagIt manifest: one line a file, digest, two spaces, name, sorted by name (RFC 8493 section 2.1.3). The same form is
/// what sha256sum(1) reads and writes.
struct Manifest: Equatable {
    struct Line: Equatable {
        let digest: Digest
        let name: String
    }

    let lines: [Line]

    init(_ lines: [Line]) {
        self.lines = lines.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    var bytes: [UInt8] {
        var output: [UInt8] = []
        for line in lines { output += "\(line.digest.hex)  \(line.name)\n".utf8 }
        return output
    }

    /// Reads exactly what ``bytes`` writes: sorted, each name once; else the number of the first line that is not.
    static func read(_ bytes: [UInt8]) -> Result<Manifest, Misread> {
        var lines: [Line] = []
        for (index, raw) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            if raw.isEmpty, index == lines.count, raw.endIndex == bytes.endIndex { break }
            guard raw.count > 66, let text = String(validating: raw, as: UTF8.self),
                let digest = Digest(hex: text.prefix(64)), text.dropFirst(64).hasPrefix("  ")
            else { return .failure(Misread(line: index + 1, problem: "not a digest, two spaces and a name")) }
            let name = String(text.dropFirst(66))
            if let last = lines.last, !last.name.utf8.lexicographicallyPrecedes(name.utf8) {
                return .failure(Misread(line: index + 1, problem: "\(name) after \(last.name)"))
            }
            lines.append(Line(digest: digest, name: name))
        }
        let manifest = Manifest(lines)
        guard manifest.bytes == bytes else {
            return .failure(Misread(line: lines.count, problem: "no line feed at the end"))
        }
        return .success(manifest)
    }

    struct Misread: Error {
        let line: Int
        let problem: String
    }
}
