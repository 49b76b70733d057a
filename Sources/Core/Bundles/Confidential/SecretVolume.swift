public import Base

/// One encrypted volume of a bundle: a line of data/secrets.jsonl. The file lies below secrets/ and in the tag manifest; the
/// digest of its content stands here, in the payload, so that the seal covers both (RT31).
public struct SecretVolume: Hashable, Sendable {
    /// The file, such as `secrets/memory/7-99.core.zst.000.cms`.
    public let name: PayloadName
    /// Its bytes as they lie there.
    public let size: UInt64
    /// SHA-256 over them.
    public let digest: Digest
    /// Bytes of its content.
    public let plainSize: UInt64
    /// SHA-256 over its content.
    public let plainDigest: Digest
    /// The certificates that open it, by the SHA-256 of their DER.
    public let recipients: [String]

    /// The index of all of them.
    static let index = "data/secrets.jsonl"
    /// What goes to recipients when there are any.
    static let folders = ["data/memory/", "data/secrets/"]
    /// The indexes that say how large the content of an encrypted stream is, and its digest.
    static let indexes = [MemoryCheck.index, "data/credentials.jsonl"]
    /// What an encrypted volume's name ends in.
    static let suffix = ".cms"

    /// The stream that it is a volume of, without number and suffix: `secrets/memory/7-99.core.zst`.
    public var stream: String {
        let numbered = name.text.dropLast(SecretVolume.suffix.count)
        return numbered.lastIndex(of: ".").map { String(numbered[..<$0]) } ?? String(numbered)
    }

    var record: PayloadRecord { PayloadRecord(name: name, size: size, digest: digest) }

    var json: JSONValue {
        [
            "name": .string(name.text), "size": .integer(Int64(clamping: size)), "sha256": .string(digest.hex),
            "plainSize": .integer(Int64(clamping: plainSize)), "plainSha256": .string(plainDigest.hex),
            "recipients": .array(recipients.map(JSONValue.string)),
        ]
    }

    init(record: PayloadRecord, plainSize: UInt64, plainDigest: Digest, recipients: [String]) {
        name = record.name
        size = record.size
        digest = record.digest
        self.plainSize = plainSize
        self.plainDigest = plainDigest
        self.recipients = recipients
    }

    /// Reads what ``json`` writes; `nil` for anything else.
    init?(_ value: JSONValue) {
        guard let text = value["name"]?.string, text.hasPrefix(PayloadName.secrets),
            text.hasSuffix(SecretVolume.suffix),
            let size = value["size"]?.integer, let plainSize = value["plainSize"]?.integer, size >= 0, plainSize >= 0,
            let digest = value["sha256"]?.string.flatMap({ Digest(hex: $0) }),
            let plainDigest = value["plainSha256"]?.string.flatMap({ Digest(hex: $0) }),
            let recipients = value["recipients"]?.array
        else { return nil }
        let names = recipients.compactMap(\.string)
        guard names.count == recipients.count else { return nil }
        do throws(Failure) {
            name = try PayloadName(member: text)
        } catch {
            return nil
        }
        self.size = UInt64(size)
        self.digest = digest
        self.plainSize = UInt64(plainSize)
        self.plainDigest = plainDigest
        self.recipients = names
    }
}
