import Base
import Glibc
import Kernel
import Logs
import Timeline

/// Has `quell worker logs` read one transcript or log: no hostile byte is parsed with privileges (DESIGN section 3).
struct LogWorker: Sendable {
    /// How long one file may take.
    var patience: Duration = .seconds(600)

    /// Starts the worker on the file's descriptor and takes its records from a pipe.
    ///
    /// - Throws: why the worker could not be started, `malformed` when it wrote what no worker writes, and what `deliver`
    ///   throws. A worker that dies early is told in the summary.
    func read(_ log: Timeline.LogFile, _ deliver: (Record) throws(Failure) -> Void) throws(Failure) -> ReadSummary {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Failure(errno: errno, "make a pipe", on: BytePath("pipe")) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let reading = ends[0]
        defer { close(reading) }
        let worker: ChildProcess
        do {
            defer { close(ends[1]) }
            worker = try ChildProcess.start(
                .thisProgram,
                [BytePath("worker"), BytePath("logs"), BytePath(log.format.description)],
                descriptors: [ChildDescriptor(log.descriptor, as: 0), ChildDescriptor(ends[1], as: 1)]
            )
        }
        let deadline = Deadline(after: patience)
        let summary = try WorkerRecords.read(from: reading, fileBytes: log.bytes, by: deadline, deliver: deliver)
        _ = try worker.finish(by: deadline)
        return summary
    }
}
