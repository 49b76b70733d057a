import Base
import Casework
import Logs

/// Loads the sources of one bundle, one after the other, in the order that decides between events of equal time.
struct EvidenceSources<Evidence: EvidenceFiles> {
    let evidence: Evidence
    let loader: EventLoader
    let scratchFolder: BytePath

    private var sealed: Instant { evidence.captured.latest }

    // MARK: Transcripts and logs

    func loadTranscripts(_ readLog: Timeline.LogReading) throws(Failure) {
        for root in evidence.roots where root.hasPrefix("transcripts") {
            try evidence.walk(root: root) { (file) throws(Failure) in
                let source = Source(.transcript, member: "data/files/\(root)", path: file.path)
                guard let size = file.size else { return }
                guard let format = RecordFormat(transcript: file.path) else {
                    try leaveOut(source, "no reader for files of this name")
                    return
                }
                let scratch = try Scratch(in: scratchFolder)
                try file.content { (offset, bytes) throws(Failure) in try scratch.write(bytes, at: offset) }
                try scratch.extend(to: size)
                try load(source, format, scratch, size, readLog)
            }
        }
    }

    func loadLogs(_ readLog: Timeline.LogReading) throws(Failure) {
        for member in evidence.members.sorted() where member.hasPrefix("data/logs/") {
            if EvidenceSources.isNoText(member) {
                try leaveOut(Source(.log, member: member), "no reader for logs of this kind")
                continue
            }
            let scratch = try Scratch(in: scratchFolder)
            var size: UInt64 = 0
            try evidence.read(member) { (bytes) throws(Failure) in
                try scratch.write(bytes, at: size)
                size += UInt64(bytes.count)
            }
            try load(Source(.log, member: member), .plain(latest: sealed), scratch, size, readLog)
        }
    }

    /// Whether a log is compressed or of records, which the capture tells by the end of its name.
    private static func isNoText(_ member: String) -> Bool {
        [".gz", ".xz", ".bz2", ".zst", ".lz4", ".journal", ".records"].contains { member.hasSuffix($0) }
    }

    private func leaveOut(_ source: Source, _ remark: String) throws(Failure) {
        try loader.load(source, notAfter: nil) { (_) throws(Failure) in
            var coverage = Coverage(.none)
            coverage.remark = remark
            return coverage
        }
    }

    private func load(
        _ source: Source,
        _ format: RecordFormat,
        _ scratch: borrowing Scratch,
        _ size: UInt64,
        _ readLog: Timeline.LogReading
    ) throws(Failure) {
        let log = Timeline.LogFile(
            descriptor: scratch.descriptor,
            bytes: Int64(clamping: size),
            format: format,
            source: source
        )
        try loader.load(source, notAfter: sealed) { (loader) throws(Failure) in
            var ownFailure: Failure?
            var coverage = Coverage(.continuous)
            do throws(Failure) {
                let summary = try readLog(log) { (record) throws(Failure) in
                    do throws(Failure) {
                        try loader.append(LogEvents.event(of: record, in: source))
                    } catch {
                        ownFailure = error
                        throw error
                    }
                }
                coverage.take(summary)
            } catch {
                if let ownFailure { throw ownFailure }
                coverage.isComplete = false
                coverage.remark = error.description
            }
            return coverage
        }
    }

    // MARK: What the capture saw

    func loadProcesses() throws(Failure) {
        try loadLines("data/processes.jsonl", .processes) { line, citation in
            ProcessEvents.event(of: line, in: citation).map { [$0] }
        }
    }

    func loadFiles() throws(Failure) {
        try loadLines("data/collection.jsonl", .files) { line, citation in
            FileEvents.events(of: line, in: citation)
        }
    }

    /// Loads a file that Quell wrote: strict JSON, one object a line. `nil` from `events` counts as unreadable.
    private func loadLines(
        _ member: String,
        _ kind: Source.Kind,
        _ events: (JSONValue, Citation) -> [Event]?
    ) throws(Failure) {
        guard evidence.members.contains(member) else { return }
        try loader.load(Source(kind, member: member), notAfter: sealed) { (loader) throws(Failure) in
            var coverage = Coverage(.snapshot)
            coverage.earliest = evidence.captured.earliest
            coverage.latest = evidence.captured.latest
            func take(_ line: [UInt8]?, _ citation: Citation) throws(Failure) {
                coverage.records += 1
                guard let value = line.flatMap({ JSONLine.value(of: $0) }), let found = events(value, citation) else {
                    coverage.unreadable += 1
                    return
                }
                for event in found { try loader.append(event) }
            }
            var cutter = LineCutter()
            try evidence.read(member) { (bytes) throws(Failure) in try cutter.take(bytes, take) }
            try cutter.finish(take)
            return coverage
        }
    }

    // MARK: What Quell did

    func loadJournal(_ entries: [Entry]?) throws(Failure) {
        if let entries {
            try loadLiveJournal(entries)
        } else {
            try loadSealedJournal()
        }
    }

    private func loadSealedJournal() throws(Failure) {
        let member = "data/journal.jsonl"
        guard evidence.members.contains(member) else { return }
        try loader.load(Source(.journal, member: member), notAfter: sealed) { (loader) throws(Failure) in
            var coverage = Coverage(.continuous)
            var journal = JournalEvents()
            func take(_ line: [UInt8]?, _ citation: Citation) throws(Failure) {
                coverage.records += 1
                guard let entry = line.flatMap({ JSONLine.entry(of: $0) }) else {
                    coverage.unreadable += 1
                    return
                }
                coverage.include(entry.time)
                try loader.append(journal.event(of: entry, in: citation))
            }
            var cutter = LineCutter()
            try evidence.read(member) { (bytes) throws(Failure) in try cutter.take(bytes, take) }
            try cutter.finish(take)
            return coverage
        }
    }

    /// The journal of the case as it stands now; places in it are those of its export.
    private func loadLiveJournal(_ entries: [Entry]) throws(Failure) {
        try loader.load(Source(.journal, member: "journal"), notAfter: nil) { (loader) throws(Failure) in
            var coverage = Coverage(.continuous)
            var journal = JournalEvents()
            var offset: Int64 = 0
            for entry in entries {
                let length = Int64(entry.line.count)
                let citation = Citation(offset: offset, length: length, line: Int64(clamping: entry.sequence))
                offset += length + 1
                coverage.records += 1
                coverage.include(entry.time)
                try loader.append(journal.event(of: entry, in: citation))
            }
            return coverage
        }
    }
}

/// Reads lines that Quell wrote; a line that does not parse is counted by the caller.
private enum JSONLine {
    static func value(of line: [UInt8]) -> JSONValue? {
        do {
            return try JSONReader.read(line)
        } catch {
            return nil
        }
    }

    static func entry(of line: [UInt8]) -> Entry? {
        do {
            return try Entry(parsing: line)
        } catch {
            return nil
        }
    }
}

extension Coverage {
    fileprivate mutating func include(_ moment: Instant) {
        earliest = min(earliest ?? moment, moment)
        latest = max(latest ?? moment, moment)
    }

    fileprivate mutating func take(_ summary: ReadSummary) {
        earliest = summary.earliest
        latest = summary.latest
        records = summary.records
        unreadable = summary.unreadable
        repeated = summary.repeated
        unknownTypes = summary.unknownTypes
        isComplete = summary.isComplete
        if !summary.isComplete { remark = "the reading ended before the end of the file" }
        if summary.blocksLeftOut > 0 { remark = "\(summary.blocksLeftOut) blocks of overfull lines are left out" }
    }
}
