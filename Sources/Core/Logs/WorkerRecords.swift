public import Base
import Glibc

/// The parent's side of `quell worker logs`. The worker read hostile bytes and may have been taken over by them, so its
/// output is hostile too: every line is bounded and checked, and what it says of the file must fit the file.
public struct WorkerRecords: Sendable {
    private let fileBytes: Int64
    private var nextOffset: Int64 = 0
    private var nextPart: Int64 = 0
    private var records: Int64 = 0
    private var isEnded = false

    /// Takes the size of the file that the worker was given, in bytes.
    public init(fileBytes: Int64) {
        self.fileBytes = fileBytes
    }

    /// Reads the worker's next line, without its newline.
    ///
    /// - Throws: `malformed` for what ``RecordLine/decode(_:)`` refuses, a record that lies outside the file or before
    ///   the one before it, and anything behind the end.
    public mutating func decode(_ line: [UInt8]) throws(Failure) -> RecordLine.Message {
        guard !isEnded else { throw problem("it goes on behind its end") }
        let message = try RecordLine.decode(line)
        switch message {
        case .record(let record): try check(record)
        case .end(let summary):
            guard summary.bytes <= fileBytes, summary.recordBytes <= summary.bytes, summary.records >= records else {
                throw problem("its counts do not fit the file")
            }
            isEnded = true
        }
        return message
    }

    /// Reads the worker's output from a pipe until its end and hands over each record.
    ///
    /// A worker that ends early is not a failure: the summary then counts what came and says that it is not complete.
    ///
    /// - Parameter deadline: When the worker must be done, `nil` for never: it may have been made to hang.
    /// - Throws: `system` when read(2) fails, `timedOut` when the deadline passes first, `malformed` for output that no
    ///   worker writes, and what `deliver` throws.
    public static func read(
        from descriptor: Int32,
        fileBytes: Int64,
        by deadline: Deadline? = nil,
        deliver: (Record) throws(Failure) -> Void
    ) throws(Failure) -> ReadSummary {
        var decoder = WorkerRecords(fileBytes: fileBytes)
        var lines = PipeLines(descriptor, deadline)
        var summary = ReadSummary()
        summary.isComplete = false
        while let line = try lines.next() {
            switch try decoder.decode(line) {
            case .record(let record):
                summary.records += 1
                if record.part == 0 { summary.recordBytes += record.length }
                if record.kind == .unreadable { summary.unreadable += 1 }
                summary.note(time: record.time)
                try deliver(record)
            case .end(let told): summary = told
            }
        }
        return summary
    }

    private mutating func check(_ record: Record) throws(Failure) {
        let (end, overflow) = record.offset.addingReportingOverflow(record.length)
        let isInside = !overflow && record.length > 0 && end <= fileBytes
        let isNextPart = record.part == nextPart && record.part > 0 && end == nextOffset
        guard isInside, isNextPart || (record.part == 0 && record.offset >= nextOffset) else {
            throw problem("a record lies outside the file or out of order")
        }
        nextOffset = end
        nextPart = record.part + 1
        records += 1
    }

    private func problem(_ reason: String) -> Failure {
        Failure(.malformed, "read a worker's records", on: "its output", because: reason)
    }
}

/// Cuts a pipe into lines of at most ``RecordLine/bound`` bytes.
private struct PipeLines {
    private let descriptor: Int32
    private let deadline: Deadline?
    private var window = ByteWindow()

    init(_ descriptor: Int32, _ deadline: Deadline?) {
        self.descriptor = descriptor
        self.deadline = deadline
    }

    mutating func next() throws(Failure) -> [UInt8]? {
        var searched = 0
        while true {
            if let end = window.newline(from: searched) {
                var line: [UInt8] = []
                try window.withBytes(0..<end) { (bytes: UnsafeBufferPointer<UInt8>) throws(Failure) in
                    line = Array(bytes)
                }
                window.drop(end + 1)
                return line
            }
            searched = window.count
            guard window.count <= RecordLine.bound else {
                throw Failure(.malformed, "read a worker's records", on: "its output", because: "a line is too long")
            }
            try waitForMore()
            let source = descriptor
            let count = try window.fill("read a worker's records", from: source) { read(source, $0, $1) }
            // What stands behind the last newline was cut off with the worker: there is no whole record in it.
            guard count > 0 else { return nil }
        }
    }

    private func waitForMore() throws(Failure) {
        guard let deadline else { return }
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&request, 1, deadline.pollTimeout) <= 0 {
            if deadline.hasPassed { break }
        }
        // Asked again whatever poll said: a worker that writes without end is never idle.
        guard !deadline.hasPassed else {
            throw Failure(.timedOut, "read a worker's records", on: "its output", because: "it was not done in time")
        }
    }
}
