public import Base
public import Bundles
import Glibc
public import Sealing

/// What is to be brought in.
public struct ImportOrder: Sendable {
    /// The file; not a link.
    public var path: BytePath
    /// The collector that a person says it is of.
    public var from: ForeignTool?
    /// The log that the collector wrote beside it.
    public var log: BytePath?

    /// Takes all parts.
    public init(path: BytePath, from: ForeignTool? = nil, log: BytePath? = nil) {
        self.path = path
        self.from = from
        self.log = log
    }
}

/// An import that ended: a sealed bundle of its own kind.
public struct SealedImport: Sendable {
    /// The bundle.
    public let bundle: SealedBundle
    /// What was brought in and how it was read.
    public let record: ImportRecord
}

/// Brings the output of a foreign collector into a bundle of its own kind (RT33): the file is copied bit for bit, then the
/// copy is read in bounded memory, listed, and compared with what its collector wrote down of it. Nothing of it is brought
/// to disk, followed or run. A file that cannot be read is sealed all the same, and the record says why.
public struct ForeignImport {
    private let order: ImportOrder
    private let parts: SealParts
    private let limits: ForeignLimits
    private let partSize: UInt64

    /// Files of up to this size stay in one piece; a plain ustar file has no larger members.
    private static let largestPart: UInt64 = 8 << 30 - 1
    private static let largestLog = 64 << 20

    /// Takes an order and what else the seal says.
    public init(_ order: ImportOrder, _ parts: SealParts, limits: ForeignLimits = ForeignLimits()) {
        self.init(order, parts, limits: limits, partSize: ForeignImport.largestPart)
    }

    init(_ order: ImportOrder, _ parts: SealParts, limits: ForeignLimits, partSize: UInt64) {
        self.order = order
        self.parts = parts
        self.limits = limits
        self.partSize = partSize
    }

    /// Writes the bundle into the new directory `directory` and seals it.
    ///
    /// - Throws: why the file cannot be read or the bundle cannot be written. What a failure leaves in `directory` is no
    ///   bundle.
    public func seal(to directory: BytePath, sealedWith key: SigningKey?) throws(Failure) -> SealedImport {
        let began = Instant.now()
        let file = try ForeignOriginal(opening: order.path)
        let writer = try BundleWriter(creating: directory)
        var account = ImportAccount()
        let (original, weak) = try file.copy(into: writer, partSize: partSize)
        account.end(
            "original",
            member: original.parts.first,
            original.changedMeanwhile ? "it changed while it was copied" : nil
        )

        var record = ImportRecord(original: original)
        let copy = try ForeignFile(opening: original.parts.map { directory.appending($0) })
        let files = try list(copy, into: writer, &record, &account)
        try compare(copy, files, &record, &account)
        if let log = order.log { try takeLog(log, original, weak, into: writer, &record, &account) }
        try writer.write(try PayloadName(ImportRecord.file), try JSONEncoding.canonicalBytes(of: record) + [0x0A])
        try writer.write(try PayloadName("data/collection.jsonl"), account.bytes)
        return SealedImport(bundle: try writer.seal(statement(began, account.counts), with: key), record: record)
    }

    private func list(
        _ copy: ForeignFile,
        into writer: BundleWriter,
        _ record: inout ImportRecord,
        _ account: inout ImportAccount
    ) throws(Failure) -> TellingFiles {
        let lines = try writer.stream(try PayloadName(ImportRecord.list))
        let files = TellingFiles(writing: lines)
        let reading = try ForeignArchive(copy, limits: limits).walk(files)
        try lines.close()
        record.form = reading.form
        record.members = reading.members
        record.expanded = reading.expanded
        record.notUnderstood = reading.notUnderstood
        record.remarks = reading.remarks
        record.oddMembers = files.oddMembers
        record.recognised = files.recognised
        record.from = order.from ?? files.recognised
        record.isStated = order.from != nil
        account.end("members", member: ImportRecord.list, reading.notUnderstood.map { "not understood: \($0)" })
        if let tool = files.recognised { record.claimed = ForeignClaims(of: tool, in: files) }
        if let stated = order.from, stated != files.recognised {
            account.end("claims", "it does not look like the output of \(stated.rawValue)")
        } else if record.claimed == nil {
            account.skip("claims", "it is of no collector that Quell knows")
        } else {
            let gaps = files.recognised.flatMap { files.gaps(in: $0.accounts) }
            record.addUnread(gaps)
            account.end("claims", member: ImportRecord.file, gaps)
        }
        return files
    }

    private func compare(
        _ copy: ForeignFile,
        _ files: TellingFiles,
        _ record: inout ImportRecord,
        _ account: inout ImportAccount
    ) throws(Failure) {
        guard let tool = files.recognised else { return account.skip("sums", "nothing is known of its collector") }
        let sums = CollectorSums(of: tool, in: files)
        let gaps = files.gaps(in: tool.listsOfSums)
        record.addUnread(gaps)
        guard !sums.sources.isEmpty else {
            if let gaps { return account.end("sums", gaps) }
            return account.skip("sums", "its collector wrote down none")
        }
        let visitor = SumVisitor(sums)
        _ = try ForeignArchive(copy, limits: limits).walk(visitor)
        let found = visitor.comparison
        record.sums = found
        let words = "\(found.differing) differ, \(found.missing) are missing of \(found.listed)"
        let shortfalls = [found.isWhole ? nil : words, gaps].compactMap { $0 }
        account.end("sums", shortfalls.isEmpty ? nil : shortfalls.joined(separator: "; "))
    }

    private func takeLog(
        _ path: BytePath,
        _ original: ImportRecord.Original,
        _ weak: (md5: String, sha1: String),
        into writer: BundleWriter,
        _ record: inout ImportRecord,
        _ account: inout ImportAccount
    ) throws(Failure) {
        let file = try ForeignFile(opening: [path])
        guard file.size <= UInt64(ForeignImport.largestLog) else {
            throw Failure(.refused, "bring in the log", on: "\(path)", because: "it has \(file.size) bytes")
        }
        let bytes = try file.all()
        try writer.write(try PayloadName("data/imported/collector.log"), bytes)
        let comparison = LogComparison(bytes, sha256: original.sha256, md5: weak.md5, sha1: weak.sha1)
        record.log = comparison
        let differing = comparison.differing.joined(separator: ", ")
        account.end(
            "log",
            member: "data/imported/collector.log",
            differing.isEmpty ? nil : "it says another \(differing) of the original"
        )
    }

    private func statement(_ began: Instant, _ counts: SealStatement.Counts) -> SealStatement {
        SealStatement(
            name: parts.name,
            caseID: parts.caseID,
            number: parts.number,
            purpose: .imported,
            locator: "file:\(order.path)",
            pins: [],
            freeze: nil,
            counts: counts,
            checkpoint: nil,
            authority: parts.authority,
            tool: parts.tool,
            responder: parts.responder,
            host: parts.host,
            began: began,
            sealed: Instant.now()
        )
    }
}
