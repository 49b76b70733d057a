public import Base
import Glibc

/// The child's side of `quell worker logs`: reads hostile bytes, writes records. It runs without privileges behind a
/// seccomp filter and opens nothing.
public enum WorkerLogs {
    /// Reads the log behind `input` (a regular file; its position does not matter) and writes one ``RecordLine`` a
    /// record to `output`, the last one saying that the end was reached. The calls it makes are pread(2), lseek(2),
    /// write(2) and memory.
    ///
    /// - Throws: `system` when reading or writing fails. What is wrong with the content does not fail.
    public static func run(input: Int32, output: Int32, format: RecordFormat) throws(Failure) {
        var writer = PipeWriter(output)
        let summary = try RecordReader.read(input, as: format) { (record: Record) throws(Failure) in
            try writer.append(RecordLine.encode(.record(record)))
        }
        try writer.append(RecordLine.encode(.end(summary)))
        try writer.flush()
    }
}

/// Collects lines and writes them in pieces of 64 KiB.
private struct PipeWriter {
    private let descriptor: Int32
    private var pending: [UInt8] = []

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    mutating func append(_ bytes: [UInt8]) throws(Failure) {
        pending += bytes
        if pending.count >= 64 << 10 { try flush() }
    }

    mutating func flush() throws(Failure) {
        var done = 0
        while done < pending.count {
            let count = pending.withUnsafeBytes { bytes in
                write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            }
            if count >= 0 {
                done += count
                continue
            }
            let number = errno
            if number != EINTR {
                throw Failure(errno: number, "write records", on: BytePath("descriptor \(descriptor)"))
            }
        }
        pending.removeAll(keepingCapacity: true)
    }
}
