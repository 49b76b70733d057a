import Base
import Glibc
import Kernel
import Logs
import Timeline

/// Has `quell worker logs` read one transcript or log: no hostile byte is parsed with privileges (DESIGN section 3).
struct LogWorker: Sendable {
    /// How long one file may take.
    var patience: Duration = .seconds(600)
    /// When all files must be done, whatever a single one is given; `nil` for never.
    var deadline: Deadline?
    /// What is started; only tests start something else.
    var program = Program.thisProgram

    /// Starts the worker on the file's descriptor and takes its records from a pipe.
    ///
    /// - Throws: why the worker could not be started, `timedOut` when it was not done in time, `malformed` when it wrote
    ///   what no worker writes, and what `deliver` throws. A worker that dies early is told in the summary.
    func read(_ log: Timeline.LogFile, _ deliver: (Record) throws(Failure) -> Void) throws(Failure) -> ReadSummary {
        try read(log.descriptor, of: log.bytes, as: log.format, called: log.source.member, deliver)
    }

    func read(
        _ descriptor: Int32,
        of bytes: Int64,
        as format: RecordFormat,
        called name: String,
        _ deliver: (Record) throws(Failure) -> Void
    ) throws(Failure) -> ReadSummary {
        let own = Deadline(after: patience)
        let deadline = deadline.map { min($0, own) } ?? own
        guard !deadline.hasPassed else {
            throw Failure(.timedOut, "read the log", on: name, because: "the time for it is over")
        }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Failure(errno: errno, "make a pipe", on: BytePath("pipe")) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let reading = ends[0]
        defer { close(reading) }
        let worker: ChildProcess
        do {
            defer { close(ends[1]) }
            worker = try ChildProcess.start(
                program,
                [BytePath("worker"), BytePath("logs"), BytePath(format.description)],
                descriptors: [ChildDescriptor(descriptor, as: 0), ChildDescriptor(ends[1], as: 1)]
            )
        }
        let summary = try WorkerRecords.read(from: reading, fileBytes: bytes, by: deadline, deliver: deliver)
        _ = try worker.finish(by: deadline)
        return summary
    }
}
