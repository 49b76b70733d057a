public import Base
public import Bundles
public import Casework
public import Logs

/// Builds the one timeline of a bundle: transcripts, processes, files, logs and the journal in one order.
public enum Timeline {
    /// One log that has to be read.
    public struct LogFile: Sendable {
        /// An unlinked regular file with the log's bytes, open to read and closed when the reading returns.
        public let descriptor: Int32
        /// Its size in bytes.
        public let bytes: Int64
        /// Which reader it needs.
        public let format: RecordFormat
        /// Where it comes from.
        public let source: Source
    }

    /// Reads one log and delivers its records in order. The caller spawns `quell worker logs` on the descriptor and hands
    /// its output to ``Logs/WorkerRecords``, so that no hostile byte is parsed with privileges.
    public typealias LogReading =
        (_ log: LogFile, _ deliver: (Record) throws(Failure) -> Void) throws(Failure) -> ReadSummary

    /// Builds the store at `path` anew from a verified bundle.
    ///
    /// A log that cannot be read (its worker failed, its output was refused) does not fail the build: what came counts,
    /// and its coverage says that it is not complete and why.
    ///
    /// - Parameters:
    ///   - bundle: The evidence.
    ///   - journal: The entries to tell; `nil` for those that are sealed in the bundle.
    ///   - path: The SQLite file; its folder holds the scratch files.
    ///   - readLog: Reads one transcript or log, see ``LogReading``.
    /// - Throws: `notVerified` when the bundle changed since its verification, `system` when the store cannot be written.
    public static func build(
        from bundle: VerifiedBundle,
        journal: [Entry]? = nil,
        at path: BytePath,
        readLog: LogReading
    ) throws(Failure) -> EventStore {
        try build(from: BundleEvidence(bundle: bundle), journal: journal, at: path, readLog: readLog)
    }

    /// Builds from any evidence, as above.
    package static func build(
        from evidence: some EvidenceFiles,
        journal: [Entry]?,
        at path: BytePath,
        readLog: LogReading
    ) throws(Failure) -> EventStore {
        let facts = [
            "bundle": evidence.name,
            "capture began": evidence.captured.earliest.description,
            "capture sealed": evidence.captured.latest.description,
        ]
        return try EventStore.create(at: path, facts: facts) { loader in
            let scratchFolder = path.parent.isEmpty ? BytePath(".") : path.parent
            let sources = EvidenceSources(evidence: evidence, loader: loader, scratchFolder: scratchFolder)
            try sources.loadTranscripts(readLog)
            try sources.loadProcesses()
            try sources.loadFiles()
            try sources.loadLogs(readLog)
            try sources.loadJournal(journal)
        }
    }

    /// Reads a log in this process. For tests: in the product a worker reads.
    package static func readInProcess(
        _ log: LogFile,
        _ deliver: (Record) throws(Failure) -> Void
    ) throws(Failure) -> ReadSummary {
        try RecordReader.read(log.descriptor, as: log.format, deliver: deliver)
    }
}
