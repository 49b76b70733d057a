public import Base

/// Reads a log through a descriptor, in windows, in constant memory, and delivers its records in the order of the file.
///
/// What is wrong with the content never fails a reading: over-long and broken lines become records of kind
/// ``Record/Kind/unreadable`` with offset and length, unknown types become records and are counted. Records and the
/// blank bytes between them tile the file.
///
/// The calls it makes are pread(2), lseek(2) and memory: it runs behind a seccomp filter.
public enum RecordReader {
    /// What a reader holds at most.
    public struct Limits: Sendable {
        /// The longest line that is parsed, in bytes; a longer one is one unreadable record.
        public var lineBytes: Int
        /// How many records a file may give; what follows becomes one unreadable record.
        public var records: Int64
        /// How many blocks of one line become records; the rest is counted.
        public var blocks: Int
        /// How many identifiers are remembered to find repeated lines.
        public var identifiers: Int

        /// 8 MiB a line, 20 million records, 1,000 blocks, a million identifiers unless told.
        public init(
            lineBytes: Int = 8 << 20,
            records: Int64 = 20_000_000,
            blocks: Int = 1000,
            identifiers: Int = 1_000_000
        ) {
            self.lineBytes = lineBytes
            self.records = records
            self.blocks = blocks
            self.identifiers = identifiers
        }
    }

    /// Reads the whole file behind `descriptor` and hands each record to `deliver`. The descriptor's own position is
    /// not used; looking for holes may move it.
    ///
    /// - Throws: `system` when pread(2) fails, and what `deliver` throws.
    public static func read(
        _ descriptor: Int32,
        as format: RecordFormat,
        limits: Limits = Limits(),
        deliver: (Record) throws(Failure) -> Void
    ) throws(Failure) -> ReadSummary {
        switch format {
        case .claudeCode, .claudeCodeMeta:
            var transcript = ClaudeCodeTranscript(limits: limits, isOneDocument: format == .claudeCodeMeta)
            return try readLines(descriptor, limits, wholeFile: format == .claudeCodeMeta) {
                (line, tally) throws(Failure) in
                try transcript.read(line, &tally, deliver)
            } unreadable: { (span, tally) throws(Failure) in
                try tally.deliver(span, to: deliver)
            }
        case .plain(let latest):
            let log = PlainLog(latest: latest)
            return try readLines(descriptor, limits, wholeFile: false) { (line, tally) throws(Failure) in
                try tally.deliver(log.record(of: line), to: deliver)
            } unreadable: { (span, tally) throws(Failure) in
                try tally.deliver(span, to: deliver)
            }
        }
    }

    private static func readLines(
        _ descriptor: Int32,
        _ limits: Limits,
        wholeFile: Bool,
        line readLine: (BorrowedLine, inout Tally) throws(Failure) -> Void,
        unreadable: (Record, inout Tally) throws(Failure) -> Void
    ) throws(Failure) -> ReadSummary {
        var scanner = LineScanner(descriptor, limit: limits.lineBytes, wholeFile: wholeFile)
        var tally = Tally(limits: limits)
        while let line = try scanner.next() {
            tally.summary.lines += 1
            if tally.isFull {
                let rest = try scanner.skipToEnd(from: line)
                try unreadable(rest.unreadable(.tooMany), &tally)
                break
            }
            guard line.isWhole else {
                try unreadable(line.unreadable(.tooLong), &tally)
                continue
            }
            try scanner.withBytes(of: line) { (borrowed: BorrowedLine) throws(Failure) in
                guard !borrowed.bytes.isEmpty else { return }
                try readLine(borrowed, &tally)
            }
        }
        tally.summary.bytes = scanner.position
        tally.summary.blankBytes = scanner.position - tally.summary.recordBytes
        tally.summary.nulBytes = scanner.nulBytes
        return tally.summary
    }
}

/// Counts what is delivered, so that no reader can deliver without counting.
struct Tally {
    var summary = ReadSummary()
    let limits: RecordReader.Limits

    var isFull: Bool { summary.records >= limits.records }

    init(limits: RecordReader.Limits) { self.limits = limits }

    mutating func deliver(_ record: Record, to sink: (Record) throws(Failure) -> Void) throws(Failure) {
        summary.records += 1
        if record.part == 0 { summary.recordBytes += record.length }
        if record.kind == .unreadable { summary.unreadable += 1 }
        if record.kind == .unknown { summary.note(unknownType: record.type) }
        summary.note(time: record.time)
        try sink(record)
    }

    mutating func countRepeat(of length: Int64) {
        summary.records += 1
        summary.repeated += 1
        summary.recordBytes += length
    }
}
