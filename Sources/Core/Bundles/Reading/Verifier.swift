import Base
import Sealing

/// Checks one bundle from its outside to its inside and stops at the first thing that is wrong.
struct Verifier {
    let store: MemberStore
    let packedAs: String?
    let policy: VerificationPolicy
    /// Of a bundle that was written a moment ago; see ``UnverifiedBundle/readBack(sealedAs:_:comparing:)``.
    var sums: WrittenSums?

    func run() throws(Problem) -> VerifiedBundle {
        let outside = try readOutside()
        let statement = outside.statement.statement
        let roots = try ArchivedRoot.all(in: outside.payload)
        var listed: UInt64 = 0
        for root in roots {
            var check = ArchiveCheck(root, in: store)
            listed += UInt64(try check.run())
        }
        try SecretsCheck(payload: outside.payload, store: store).run(tagManifest: outside.tags)
        try MemoryCheck(payload: outside.payload, store: store).run()
        try CollectionCheck(payload: outside.payload, store: store).run(against: statement.counts)
        try requireJournal(statement.checkpoint, among: outside.payload)
        return VerifiedBundle(
            statement: statement,
            root: outside.statement.root,
            signer: outside.signer,
            doubt: outside.doubt,
            signerName: outside.signerName,
            timestamp: outside.timestamp,
            countersignatures: outside.countersignatures,
            payload: outside.payload,
            onlyListed: listed,
            store: store,
            archives: roots,
            small: outside.small
        )
    }

    /// What is known when every byte is the one that was sealed and nothing was looked into yet.
    struct Outside {
        let statement: InTotoStatement
        let signer: VerifiedBundle.Signer
        let doubt: String?
        let signerName: String?
        let timestamp: VerifiedBundle.Timestamp
        let countersignatures: [Countersignature]
        let payload: [PayloadRecord]
        /// The lines of the tag manifest.
        let tags: [Manifest.Line]
        /// The digests of the files that no manifest lists, as they were read.
        let small: [String: Digest]
    }

    /// Checks names, seal, bag and the digest of every file.
    func readOutside() throws(Problem) -> Outside {
        let sealName = try requireMembers()
        let small = SmallFiles(in: store)
        let tagManifest = try small.bytes(of: BundleFiles.tagManifest)
        let seal = try SealCheck(policy: policy).read(try small.bytes(of: sealName), named: sealName)
        let timestamp = try TimestampCheck(files: small, policy: policy).read(over: seal.signature)
        let standing = SealStanding(of: seal, timestamp, policy)
        let countersignatures = try CountersignatureCheck(files: small, policy: policy).read(about: seal.statement)
        try require(
            SHA256.digest(of: tagManifest) == seal.statement.root,
            .digest,
            in: BundleFiles.tagManifest,
            expected: "SHA-256 \(seal.statement.root) as the seal says",
            found: "SHA-256 \(SHA256.digest(of: tagManifest))"
        )
        let lines = try manifest(tagManifest, named: BundleFiles.tagManifest).lines
        let tags = try requireTagFiles(lines, small)
        let payload = try requirePayload(seal.statement, tags)
        if let packedAs {
            let name = seal.statement.statement.name
            try require(
                packedAs == name,
                .packing,
                in: packedAs,
                expected: "members of \(name)/",
                found: "\(packedAs)/"
            )
        }
        try PayloadDigests(payload: payload, store: store, sums: sums).check()
        return Outside(
            statement: seal.statement,
            signer: standing.signer,
            doubt: standing.doubt,
            signerName: standing.name,
            timestamp: timestamp,
            countersignatures: countersignatures,
            payload: payload,
            tags: lines,
            small: small.digests
        )
    }

    /// Every name is a tag file's or a payload name; every tag file and exactly one kind of seal is there.
    private func requireMembers() throws(Problem) -> String {
        let others = [BundleFiles.tagManifest, BundleFiles.seal, BundleFiles.unsignedStatement]
        let known = Set(BundleFiles.tagged + others)
        for name in store.members.keys.sorted() where !known.contains(name) {
            let isPlaced = name.hasPrefix("data/") || name.hasPrefix(PayloadName.secrets)
            let isPayload = isPlaced && MemberName.problem(of: name) == nil
            if BundleFiles.isUnfinished(name) {
                throw wrong(
                    .members,
                    in: name,
                    expected: "only the files of a bundle: take it away, nothing was added",
                    found: "what quell was adding when it was interrupted"
                )
            }
            let isKnown = isPayload || BundleFiles.mayFollowSeal(name)
            try require(isKnown, .members, in: name, expected: "only the files of a bundle", found: "this file too")
        }
        for name in BundleFiles.tagged + [BundleFiles.tagManifest] where store.members[name] == nil {
            throw wrong(.members, in: name, expected: "this file", found: "none")
        }
        switch (store.members[BundleFiles.seal], store.members[BundleFiles.unsignedStatement]) {
        case (.some, nil): return BundleFiles.seal
        case (nil, .some): return BundleFiles.unsignedStatement
        case (nil, nil): throw wrong(.members, in: BundleFiles.seal, expected: "a seal", found: "none")
        case (.some, .some):
            throw wrong(
                .members,
                in: BundleFiles.unsignedStatement,
                expected: "one seal: take this file away when \(BundleFiles.seal) is by the key that was to sign",
                found: "two, as when signing was interrupted"
            )
        }
    }

    /// The bytes of the tag files by name, as they were when their digests were compared: what is used is what was hashed,
    /// also where the bundle changes meanwhile.
    private func requireTagFiles(
        _ lines: [Manifest.Line],
        _ small: SmallFiles
    ) throws(Problem) -> [String: [UInt8]] {
        let listed = lines.map(\.name)
        let secrets = store.members.keys.filter { $0.hasPrefix(PayloadName.secrets) }
        let expected = (BundleFiles.tagged + secrets).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        try require(
            listed == expected,
            .bag,
            in: BundleFiles.tagManifest,
            expected: expected.joined(separator: ", "),
            found: listed.joined(separator: ", ")
        )
        try SecretsCheck.compare(lines, in: store, with: sums)
        var tags: [String: [UInt8]] = [:]
        for line in lines where !line.name.hasPrefix(PayloadName.secrets) {
            let bytes = try small.bytes(of: line.name)
            tags[line.name] = bytes
            let digest = SHA256.digest(of: bytes)
            try require(
                digest == line.digest,
                .digest,
                in: line.name,
                expected: "SHA-256 \(line.digest)",
                found: "SHA-256 \(digest)"
            )
        }
        let declaration = tags[BundleFiles.declaration] ?? []
        try require(
            declaration == Array(BundleFiles.declarationText.utf8),
            .bag,
            in: BundleFiles.declaration,
            expected: "BagIt 1.0 in UTF-8",
            found: String(decoding: declaration, as: UTF8.self)
        )
        return tags
    }

    /// The manifest lists exactly the payload that is there; counts and sizes agree with bag-info.txt and the seal.
    private func requirePayload(
        _ statement: InTotoStatement,
        _ tags: [String: [UInt8]]
    ) throws(Problem) -> [PayloadRecord] {
        let lines = try manifest(tags[BundleFiles.manifest] ?? [], named: BundleFiles.manifest).lines
        var records: [PayloadRecord] = []
        for line in lines {
            let name = try payloadName(line.name)
            guard let member = store.members[line.name] else {
                throw wrong(.members, in: line.name, expected: "this file, the manifest lists it", found: "none")
            }
            records.append(PayloadRecord(name: name, size: member.size, digest: line.digest))
        }
        let listed = Set(lines.map(\.name))
        for name in store.members.keys.sorted() where name.hasPrefix("data/") && !listed.contains(name) {
            throw wrong(.members, in: name, expected: "only files that the manifest lists", found: "this file too")
        }
        let oxum = BundleFiles.oxum(of: records)
        let info = String(decoding: tags[BundleFiles.info] ?? [], as: UTF8.self)
        let found = info.split(separator: "\n").filter { $0.lowercased().hasPrefix("payload-oxum") }
        try require(
            found == [Substring(oxum)],
            .bag,
            in: BundleFiles.info,
            expected: oxum,
            found: found.isEmpty ? "no Payload-Oxum" : found.joined(separator: ", ")
        )
        let size = records.reduce(UInt64(0)) { $0 &+ $1.size }
        try require(
            records.count == statement.payloadFiles && size == statement.payloadBytes,
            .seal,
            in: BundleFiles.seal,
            expected: "\(statement.payloadFiles) payload files of \(statement.payloadBytes) bytes",
            found: "\(records.count) of \(size) bytes"
        )
        return records
    }

    private func requireJournal(
        _ checkpoint: SealStatement.Checkpoint?,
        among payload: [PayloadRecord]
    ) throws(Problem) {
        guard let checkpoint else { return }
        let name = "data/journal.jsonl"
        guard let record = payload.first(where: { $0.name.text == name }) else {
            throw wrong(.journal, in: name, expected: "the journal up to entry \(checkpoint.sequence)", found: "none")
        }
        guard let judge = policy.journal else { return }
        let journal = try SmallFiles(in: store).bytes(of: name)
        try PayloadCheck.compare(record, with: SHA256.digest(of: journal))
        if let finding = judge(journal, checkpoint) { throw .finding(finding) }
    }

    private func manifest(_ bytes: [UInt8], named name: String) throws(Problem) -> Manifest {
        switch Manifest.read(bytes) {
        case .success(let manifest): return manifest
        case .failure(let misread):
            throw wrong(
                .bag,
                in: "\(name) line \(misread.line)",
                expected: "lines sorted by name, each name once",
                found: misread.problem
            )
        }
    }

    private func payloadName(_ text: String) throws(Problem) -> PayloadName {
        do {
            return try PayloadName(text)
        } catch {
            throw wrong(.bag, in: BundleFiles.manifest, expected: "names of payload files", found: text)
        }
    }

    private func require(
        _ condition: Bool,
        _ check: VerificationFinding.Check,
        in file: String,
        expected: String,
        found: String
    ) throws(Problem) {
        if !condition { throw wrong(check, in: file, expected: expected, found: found) }
    }

    private func wrong(
        _ check: VerificationFinding.Check,
        in file: String,
        expected: String,
        found: String
    ) -> Problem {
        .finding(VerificationFinding(check, in: file, expected: expected, found: found))
    }
}
