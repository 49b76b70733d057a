import Base
import Sealing

/// The files of one archived root within a bundle.
struct ArchivedRoot: Sendable {
    let name: String
    /// In the order of the stream.
    let volumes: [PayloadRecord]
    let mtree: PayloadRecord

    /// The place of the archive in findings.
    var subject: String { "data/files/\(name)" }

    /// Sorts the files below data/files/ into roots: each has one mtree and volumes numbered from 000 without a gap.
    static func all(in payload: [PayloadRecord]) throws(Problem) -> [ArchivedRoot] {
        var roots: [ArchivedRoot] = []
        var used: Set<String> = []
        let byName = Dictionary(payload.map { ($0.name.text, $0) }, uniquingKeysWith: { first, _ in first })
        for record in payload {
            guard let name = mtreeRoot(record.name.text) else { continue }
            var volumes: [PayloadRecord] = []
            while let text = VolumeName.text(root: name, index: volumes.count), let volume = byName[text] {
                volumes.append(volume)
                used.insert(text)
            }
            guard !volumes.isEmpty else {
                throw wrong(
                    VolumeName.text(root: name, index: 0) ?? name,
                    "a first volume beside \(record.name)",
                    "none"
                )
            }
            used.insert(record.name.text)
            roots.append(ArchivedRoot(name: name, volumes: volumes, mtree: record))
        }
        for record in payload where record.name.text.hasPrefix("data/files/") && !used.contains(record.name.text) {
            throw wrong(record.name.text, "volumes without a gap and one mtree for each root", "a file of no root")
        }
        return roots
    }

    private static func mtreeRoot(_ name: String) -> String? {
        guard name.hasPrefix("data/files/"), name.hasSuffix(".mtree") else { return nil }
        let root = String(name.dropFirst("data/files/".count).dropLast(".mtree".count))
        return VolumeName.problem(of: root) == nil ? root : nil
    }

    private static func wrong(_ file: String, _ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.archive, in: file, expected: expected, found: found))
    }
}

/// The bytes of volumes one after the other. Each volume's digest is checked when its end is reached.
final class VolumeSource {
    private let store: MemberStore
    private var waiting: [PayloadRecord]
    private var current: (record: PayloadRecord, reader: MemberReader)?
    private var hasher = Sealing.Hasher()

    init(_ volumes: [PayloadRecord], in store: MemberStore) {
        self.store = store
        waiting = volumes.reversed()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Problem) -> Int {
        while true {
            if let (record, reader) = current {
                let count = try posing { () throws(Failure) in try reader.read(into: buffer) }
                if count > 0 {
                    hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    return count
                }
                try PayloadCheck.compare(record, with: hasher.finish())
                current = nil
            }
            guard let next = waiting.popLast() else { return 0 }
            guard let reader = try posing({ () throws(Failure) in try store.open(next.name.text) }) else {
                throw .finding(VerificationFinding(.members, in: next.name.text, expected: "a file", found: "none"))
            }
            current = (next, reader)
        }
    }
}

/// Reads whole payload files against their records.
enum PayloadCheck {
    /// Hands the bytes of `record` to `body` and compares their digest at the end.
    static func read(
        _ record: PayloadRecord,
        in store: MemberStore,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Problem) {
        guard let reader = try posing({ () throws(Failure) in try store.open(record.name.text) }) else {
            throw .finding(VerificationFinding(.members, in: record.name.text, expected: "a file", found: "none"))
        }
        var hasher = Sealing.Hasher()
        let buffer = PageBuffer()
        while true {
            let count = try posing { () throws(Failure) in try reader.read(into: buffer.bytes) }
            if count == 0 { break }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
            hasher.update(bytes)
            try posing { () throws(Failure) in try body(bytes) }
        }
        try compare(record, with: hasher.finish())
    }

    /// Compares the bytes of `record` with what was written a moment ago; as ``read(_:in:_:)`` where nobody knows that.
    static func compare(
        _ record: PayloadRecord,
        in store: MemberStore,
        with sums: WrittenSums?
    ) throws(Problem) {
        guard let sums, let written = sums.files[record.name.text] else {
            return try read(record, in: store) { _ in }
        }
        try compare(record, with: written.digest)
        guard let reader = try posing({ () throws(Failure) in try store.open(record.name.text) }) else {
            throw .finding(VerificationFinding(.members, in: record.name.text, expected: "a file", found: "none"))
        }
        var sum = KeyedSum(sums.key, number: written.number)
        try posing { () throws(Failure) in try reader.forEach(PageBuffer(size: 256 << 10)) { sum.update($0) } }
        if sum.finish() == written.tag { return }
        // It is told by the digest; unless what was other a moment ago is as it was written again.
        try read(record, in: store) { _ in }
        throw .finding(
            VerificationFinding(
                .digest,
                in: record.name.text,
                expected: "SHA-256 \(record.digest) each time it is read",
                found: "other bytes once"
            )
        )
    }

    static func compare(_ record: PayloadRecord, with digest: Digest) throws(Problem) {
        guard digest == record.digest else {
            throw .finding(
                VerificationFinding(
                    .digest,
                    in: record.name.text,
                    expected: "SHA-256 \(record.digest)",
                    found: "SHA-256 \(digest)"
                )
            )
        }
    }
}
