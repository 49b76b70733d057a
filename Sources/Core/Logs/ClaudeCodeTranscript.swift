import Base

/// Reads the lines of a Claude Code transcript: one JSON object a line, of a `type`, most with an envelope (`uuid`,
/// `parentUuid`, `timestamp`, `cwd`, `sessionId`) and a `message` of blocks.
///
/// Several processes append to one file, so lines are spliced, run together or torn; ``SplicedLine`` recovers what is
/// whole. Order is the file's, never the tree of `parentUuid`: dead branches happened too.
struct ClaudeCodeTranscript {
    private let limits: RecordReader.Limits
    private let isOneDocument: Bool
    private var seen: Set<Int> = []

    init(limits: RecordReader.Limits, isOneDocument: Bool) {
        self.limits = limits
        self.isOneDocument = isOneDocument
    }

    mutating func read(
        _ line: BorrowedLine,
        _ tally: inout Tally,
        _ sink: (Record) throws(Failure) -> Void
    ) throws(Failure) {
        for piece in SplicedLine.pieces(of: line.bytes) {
            guard let value = piece.value else {
                try tally.deliver(unreadable(piece.range, of: line), to: sink)
                continue
            }
            if repeats(value, bytes: line.bytes[piece.range]) {
                tally.countRepeat(of: Int64(piece.range.count))
                continue
            }
            let blank = line.record(.unknown, piece.range)
            if isOneDocument {
                try tally.deliver(sideFile(value, blank), to: sink)
                continue
            }
            tally.summary.blocksLeftOut += Int64(max(0, ClaudeCodeRecord.blockCount(of: value) - limits.blocks))
            for record in ClaudeCodeRecord.records(of: value, from: blank, limit: limits.blocks) {
                try tally.deliver(record, to: sink)
            }
        }
    }

    private func unreadable(_ range: Range<Int>, of line: BorrowedLine) -> Record {
        var record = line.record(.unreadable, range)
        record.reason = .malformed
        record.text = Record.Excerpt(of: line.bytes[range])
        return record
    }

    /// Whether the same bytes with the same identifier stood in this file before. Lines without an identifier never
    /// count as repeats, for the same thing can happen twice; a line that only borrows an identifier never does either.
    private mutating func repeats(_ value: JSONValue, bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        guard let id = value["uuid"]?.string, !id.isEmpty else { return false }
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes.base)[bytes.indices]))
        let fingerprint = hasher.finalize()
        if seen.contains(fingerprint) { return true }
        if seen.count < limits.identifiers { seen.insert(fingerprint) }
        return false
    }

    private func sideFile(_ value: JSONValue, _ blank: Record) -> Record {
        var record = blank
        record.kind = value["agentType"] == nil ? .unknown : .agent
        record.type = value.name("agentType") ?? "(none)"
        record.text = Record.Excerpt(of: value["description"]?.string ?? value.digest())
        record.parent = value.name("parentAgentId")
        return record
    }
}
