public import Base

/// Checks what lies below secrets/ without any key: each file has the digest that the tag manifest says, and exactly one line
/// in data/secrets.jsonl that says the same and names its content; the volumes of a stream are numbered without a gap.
struct SecretsCheck {
    let payload: [PayloadRecord]
    let store: MemberStore

    /// Compares the files with the lines of the tag manifest that name them.
    static func compare(
        _ lines: [Manifest.Line],
        in store: MemberStore,
        with sums: WrittenSums?
    ) throws(Problem) {
        for line in lines where line.name.hasPrefix(PayloadName.secrets) {
            guard let member = store.members[line.name] else {
                throw wrong(.members, line.name, "this file, the tag manifest lists it", "none")
            }
            let name = try posing { () throws(Failure) in try PayloadName(member: line.name) }
            let record = PayloadRecord(name: name, size: member.size, digest: line.digest)
            try PayloadCheck.compare(record, in: store, with: sums)
        }
    }

    /// Compares the index with the tag manifest, whose digests of the files were checked before.
    func run(tagManifest lines: [Manifest.Line]) throws(Problem) {
        let sealed = Dictionary(lines.map { ($0.name, $0.digest) }, uniquingKeysWith: { first, _ in first })
        let names = store.members.keys.filter { $0.hasPrefix(PayloadName.secrets) }.sorted()
        var listed: [String: SecretVolume] = [:]
        for volume in try read() {
            guard listed.updateValue(volume, forKey: volume.name.text) == nil else {
                throw wrong(.members, SecretVolume.index, "each volume once", "\(volume.name) again")
            }
        }
        for name in names where listed[name] == nil {
            throw wrong(.members, name, "a line in \(SecretVolume.index)", "none")
        }
        for (name, volume) in listed.sorted(by: { $0.key < $1.key }) {
            guard let member = store.members[name] else {
                throw wrong(.members, name, "this volume, \(SecretVolume.index) lists it", "none")
            }
            guard member.size == volume.size else {
                throw wrong(.digest, name, "\(volume.size) bytes as \(SecretVolume.index) says", "\(member.size)")
            }
            guard sealed[name] == volume.digest else {
                let found = sealed[name].map { "SHA-256 \($0)" } ?? "none"
                throw wrong(.digest, name, "SHA-256 \(volume.digest) as \(SecretVolume.index) says", found)
            }
        }
        try requireNoGap(Array(listed.values))
    }

    private func requireNoGap(_ volumes: [SecretVolume]) throws(Problem) {
        for (stream, parts) in Dictionary(grouping: volumes, by: \.stream).sorted(by: { $0.key < $1.key }) {
            let names = Set(parts.map(\.name.text))
            for index in 0..<parts.count {
                let expected = (VolumeName.text(base: stream, index: index) ?? stream) + SecretVolume.suffix
                guard names.contains(expected) else {
                    throw wrong(.archive, expected, "volumes from 000 without a gap", "none of this name")
                }
            }
        }
    }

    /// The lines of the index as it was hashed; none when there is no such file.
    func read() throws(Problem) -> [SecretVolume] {
        guard let record = payload.first(where: { $0.name.text == SecretVolume.index }) else { return [] }
        let lines = try LineReader(record, in: store)
        var volumes: [SecretVolume] = []
        while let line = try lines.next() {
            let place = "\(SecretVolume.index) line \(volumes.count + 1)"
            let value: JSONValue
            do {
                value = try JSONReader.read(line, limits: .init(bytes: LineReader.longestLine, depth: 8))
            } catch {
                throw wrong(.bag, place, "strict JSON", "\(error.subject): \(error.reason)")
            }
            guard let volume = SecretVolume(value) else {
                throw wrong(.bag, place, "name, size, sha256, plainSize, plainSha256 and recipients", "another line")
            }
            volumes.append(volume)
        }
        return volumes
    }

    private func wrong(
        _ check: VerificationFinding.Check,
        _ file: String,
        _ expected: String,
        _ found: String
    ) -> Problem {
        Self.wrong(check, file, expected, found)
    }

    private static func wrong(
        _ check: VerificationFinding.Check,
        _ file: String,
        _ expected: String,
        _ found: String
    ) -> Problem {
        .finding(VerificationFinding(check, in: file, expected: expected, found: found))
    }
}

extension VerifiedBundle {
    /// The encrypted volumes, in the order of their names; none when nothing was encrypted.
    ///
    /// - Throws: `notVerified` when the index changed since the verification, `system` with errno.
    public func secrets() throws(Failure) -> [SecretVolume] {
        let check = SecretsCheck(payload: payload, store: store)
        return try failing { () throws(Problem) -> [SecretVolume] in try check.read() }
    }
}
