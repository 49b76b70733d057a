public import Base
import Sealing

/// The volumes of one stream of a payload that is no archive, such as the memory of a process.
struct VolumeSet {
    /// What the volumes are called, without their numbers.
    let name: String
    /// In the order of the stream.
    let volumes: [PayloadRecord]

    /// Sorts the files below `folder` into streams: each has volumes numbered from 000 without a gap.
    static func all(below folder: String, in payload: [PayloadRecord]) throws(Problem) -> [VolumeSet] {
        var byBase: [String: [String: PayloadRecord]] = [:]
        for record in payload where record.name.text.hasPrefix(folder) {
            guard let end = record.name.text.utf8.lastIndex(of: UInt8(ascii: ".")) else {
                throw wrong(record.name.text, "a volume with its number", "a name without one")
            }
            byBase[String(record.name.text[..<end]), default: [:]][record.name.text] = record
        }
        var sets: [VolumeSet] = []
        for (base, records) in byBase.sorted(by: { $0.key < $1.key }) {
            var volumes: [PayloadRecord] = []
            while let text = VolumeName.text(base: base, index: volumes.count), let record = records[text] {
                volumes.append(record)
            }
            guard volumes.count == records.count else {
                let missing = VolumeName.text(base: base, index: volumes.count) ?? base
                throw wrong(missing, "volumes from 000 without a gap", "none of this name among \(records.count)")
            }
            sets.append(VolumeSet(name: base, volumes: volumes))
        }
        return sets
    }

    /// Hands the plain content to `body`, piece by piece and in order, and gives its size and digest. The volumes'
    /// digests are checked on the way. Content beyond `most` bytes is a finding, and is not handed over.
    func read(
        in store: MemberStore,
        most: UInt64 = .max,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Problem) -> (size: UInt64, digest: Digest) {
        let source = VolumeSource(volumes, in: store)
        let decompressor = try ZstdDecompressor(name: name, most: most) { buffer throws(Problem) in
            try source.read(into: buffer)
        }
        var hasher = Sealing.Hasher()
        var size: UInt64 = 0
        while true {
            let bytes = try decompressor.next()
            if bytes.isEmpty { return (size, hasher.finish()) }
            hasher.update(bytes)
            size += UInt64(bytes.count)
            try posing { () throws(Failure) in try body(bytes) }
        }
    }

    private static func wrong(_ file: String, _ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.archive, in: file, expected: expected, found: found))
    }
}

extension VerifiedBundle {
    /// Hands the plain content of a stream in volumes to `body`, piece by piece and in order. What `body` got is evidence
    /// only when this returns.
    ///
    /// - Parameter name: What its volumes are called, without their numbers, such as `data/memory/7-99.core.zst`.
    /// - Throws: `notFound` when there is no such stream; `notVerified` when it changed since the verification; `system`
    ///   with errno, and what `body` throws.
    public func readVolumes(
        of name: PayloadName,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let found = try failing { () throws(Problem) -> [VolumeSet] in
            try VolumeSet.all(below: name.text + ".", in: payload)
        }
        guard let set = found.first(where: { $0.name == name.text }) else {
            throw Failure(.notFound, "read a payload stream", on: name.text, because: "the bundle has no such stream")
        }
        _ = try failing { () throws(Problem) -> (size: UInt64, digest: Digest) in try set.read(in: store, body) }
    }
}
