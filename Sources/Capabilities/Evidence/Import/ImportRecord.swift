public import Base
public import Bundles

/// data/import.json of an imported bundle: what was brought in, how it was read, and what its collector claims.
public struct ImportRecord: Hashable, Sendable, Codable {
    /// The file that was brought in, bit for bit.
    public struct Original: Hashable, Sendable, Codable {
        /// Its name where it lay; hostile.
        public var name: BytePath
        /// The payload files that it is, one after the other.
        public var parts: [String]
        /// Bytes.
        public var size: UInt64
        /// SHA-256 over them.
        public var sha256: Digest
        /// Whether it was another file, or another content, when the copy was done.
        public var changedMeanwhile: Bool
    }

    /// The name of the file that holds it.
    public static let file = "data/import.json"
    /// The members of the original, a line each.
    public static let list = "data/imported.jsonl"

    /// The version of this form.
    public var version = 1
    /// What was brought in.
    public var original: Original
    /// The collector that it is held to be of; `nil` when none is known.
    public var from: ForeignTool?
    /// Whether a person said so.
    public var isStated: Bool
    /// The collector that its files speak of.
    public var recognised: ForeignTool?
    /// The form that it was read as.
    public var form: ForeignReading.Form
    /// How many members are listed.
    public var members: Int
    /// Bytes that reading expanded.
    public var expanded: UInt64
    /// Members with a remark.
    public var oddMembers: Int
    /// Why it was not read to its end; `nil` when it was.
    public var notUnderstood: String?
    /// What is odd about it as a whole.
    public var remarks: [String]
    /// What its collector claims; nobody has checked it.
    public var claimed: ForeignClaims?
    /// Which of the files in which its collector tells of itself could not be read, and why; `nil` when all were.
    public private(set) var unread: [String]?
    /// Whether members are what the collector wrote down of them; `nil` when it wrote nothing.
    public var sums: SumComparison?
    /// What the log beside it says; `nil` when none was given.
    public var log: LogComparison?

    mutating func addUnread(_ gaps: String?) {
        if let gaps { unread = (unread ?? []) + [gaps] }
    }

    /// Whether it was read to its end, its collector's own files too, and nothing contradicts its collector.
    public var isWhole: Bool {
        notUnderstood == nil && unread == nil && !original.changedMeanwhile && (sums?.isWhole ?? true)
            && (log?.differing.isEmpty ?? true)
            && (from == nil || from == recognised)
    }

    /// Reads it from a bundle; `nil` when that is not an imported one.
    ///
    /// - Throws: `notVerified` when it is missing, not of its form, or not about what the bundle holds.
    public init?(of bundle: VerifiedBundle) throws(Failure) {
        guard bundle.statement.purpose == .imported else { return nil }
        do throws(Failure) {
            let bytes = try bundle.bytes(of: try PayloadName(ImportRecord.file), limit: 16 << 20)
            self = try JSONDecoding.decode(ImportRecord.self, from: try JSONReader.read(bytes))
        } catch {
            throw ImportRecord.wrong("what was imported, in its form", error.reason)
        }
        try requireOriginal(in: bundle)
    }

    /// The parts are there, and together they are what the record says.
    private func requireOriginal(in bundle: VerifiedBundle) throws(Failure) {
        var size: UInt64 = 0
        var only: Digest?
        for part in original.parts {
            guard let record = bundle.payload.first(where: { $0.name.text == part }) else {
                throw ImportRecord.wrong("the part \(part)", "none")
            }
            size += record.size
            only = record.digest
        }
        guard !original.parts.isEmpty, size == original.size else {
            throw ImportRecord.wrong("\(original.size) bytes of the original", "\(size)")
        }
        if original.parts.count == 1, only != original.sha256 {
            throw ImportRecord.wrong("the original \(original.sha256)", "\(only?.hex ?? "none")")
        }
    }

    private static func wrong(_ expected: String, _ found: String) -> Failure {
        Failure(.notVerified, "verify the bundle", on: file, because: "expected \(expected), found \(found)")
    }

    init(original: Original) {
        self.original = original
        isStated = false
        form = .unknown
        members = 0
        expanded = 0
        oddMembers = 0
        remarks = []
    }
}
