import Base

/// The text that a seal signs: an in-toto Statement v1 in canonical JSON with one subject, the tag manifest.
/// Source: https://github.com/in-toto/attestation, spec/v1/statement.md.
struct InTotoStatement: Equatable {
    static let type = "https://in-toto.io/Statement/v1"
    private static let absent = JSONValue.string("absent")

    /// SHA-256 of tagmanifest-sha256.txt.
    let root: Digest
    /// The predicate without what is added here.
    let statement: SealStatement
    /// How many payload files there are and how many bytes they have.
    let payloadFiles: Int
    let payloadBytes: UInt64
    /// The fingerprint of the key that signs; `nil` when nobody does.
    let signer: Digest?

    /// The canonical bytes.
    func bytes() throws(Failure) -> [UInt8] {
        guard case .object(var predicate) = try JSONEncoding.value(of: statement) else { return [] }
        if statement.authority == nil { predicate["authority"] = Self.absent }
        predicate["payload"] = [
            "files": .integer(Int64(payloadFiles)), "bytes": .integer(Int64(clamping: payloadBytes)),
        ]
        predicate["signer"] = signer.map { .string($0.hex) } ?? Self.absent
        return CanonicalJSON.bytes(of: [
            "_type": .string(Self.type),
            "subject": [["name": .string(BundleFiles.tagManifest), "digest": ["sha256": .string(root.hex)]]],
            "predicateType": .string(Self.predicateType(statement.purpose)),
            "predicate": .object(predicate),
        ])
    }

    /// A type of our own for each purpose, so that a drill or an import never reads as a capture (RT33).
    static func predicateType(_ purpose: SealStatement.Purpose) -> String { "urn:quell:bundle:\(purpose.rawValue):v1" }

    init(root: Digest, statement: SealStatement, payloadFiles: Int, payloadBytes: UInt64, signer: Digest?) {
        self.root = root
        self.statement = statement
        self.payloadFiles = payloadFiles
        self.payloadBytes = payloadBytes
        self.signer = signer
    }

    /// Reads exactly what ``bytes()`` writes: any other member, order, spacing or a duplicate key is `malformed`.
    init(parsing text: [UInt8]) throws(Failure) {
        let value = try JSONReader.read(text, limits: .init(bytes: 16 << 20, depth: 16))
        guard let subject = value["subject"]?.array?.first?["digest"]?["sha256"]?.string,
            let root = Digest(hex: subject), case .object(var predicate)? = value["predicate"],
            let files = predicate["payload"]?["files"]?.integer, let bytes = predicate["payload"]?["bytes"]?.integer,
            let signer = predicate["signer"], files >= 0, bytes >= 0
        else { throw Self.malformed("subject, payload or signer are missing or not of their form") }
        if predicate["authority"] == Self.absent { predicate["authority"] = nil }
        self.init(
            root: root,
            statement: try JSONDecoding.decode(SealStatement.self, from: .object(predicate)),
            payloadFiles: Int(files),
            payloadBytes: UInt64(bytes),
            signer: signer.string.flatMap { Digest(hex: $0) }
        )
        // The name becomes a file's and a directory's: it is of the closed form whoever wrote the seal.
        if let problem = VolumeName.problem(of: statement.name) {
            throw Self.malformed("the bundle's name is not of its form: \(problem)")
        }
        guard try self.bytes() == text else {
            throw Self.malformed("not exactly the statement that this version writes")
        }
    }

    private static func malformed(_ reason: String) -> Failure {
        Failure(.malformed, "read the statement", on: "in-toto", because: reason)
    }
}
