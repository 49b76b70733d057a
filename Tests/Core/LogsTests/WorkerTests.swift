import Base
import Glibc
import Logs
import Synchronization
import Testing

@Suite("The worker's records")
struct WorkerTests {
    @Test("what a worker reads from a sample is what the parent decodes", arguments: LogFile.fixtures)
    func roundTrip(fixture: String) throws {
        let log = try LogFile(fixture: fixture)
        let direct = try log.records()
        var records: [Record] = []
        let output = try LogFile("")
        try WorkerLogs.run(input: log.descriptor, output: output.descriptor, format: .claudeCode)
        #expect(lseek(output.descriptor, 0, SEEK_SET) == 0)
        let size = Int64(log.bytes.count)
        let summary = try WorkerRecords.read(from: output.descriptor, fileBytes: size) { records.append($0) }
        #expect(records == direct.records)
        #expect(summary == direct.summary)
        #expect(summary.isComplete)
    }

    @Test("a worker that ends early gives an incomplete summary, not a failure")
    func endsEarly() throws {
        var record = Record(offset: 0, length: 5, line: 1, kind: .user)
        record.type = "user"
        let whole = RecordLine.encode(.record(record))
        let output = try LogFile(whole + whole.prefix(20))
        lseek(output.descriptor, 0, SEEK_SET)
        let summary = try WorkerRecords.read(from: output.descriptor, fileBytes: 100) { _ in }
        #expect(!summary.isComplete)
        #expect(summary.records == 1)
    }

    @Test("a worker that neither writes nor ends, and one that never stops writing, are given up at the deadline")
    func hangs() throws {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let silent = #expect(throws: Failure.self) {
            try WorkerRecords.read(from: ends[0], fileBytes: 100, by: Deadline(after: .milliseconds(20))) { _ in }
        }
        #expect(silent?.code == .timedOut)
        let record = RecordLine.encode(.record(Record(offset: 0, length: 5, line: 1, kind: .user)))
        #expect(write(ends[1], record, record.count) == record.count)
        let endless = #expect(throws: Failure.self) {
            try WorkerRecords.read(from: ends[0], fileBytes: 100, by: Deadline(after: .zero)) { _ in }
        }
        #expect(endless?.code == .timedOut)
    }

    @Test(
        "lines that no worker writes are refused",
        arguments: [
            "", "{}", "[]", "null", #"{"offset":0,"length":1,"line":1,"kind":"user","extra":1}"#,
            #"{"offset":0,"length":1,"line":1,"kind":"king"}"#, #"{"offset":-1,"length":1,"line":1,"kind":"user"}"#,
            #"{"offset":0,"length":1,"line":1,"kind":"user","kind":"user"}"#,
            #"{"offset":0,"length":1,"line":1,"kind":"user","text":"abc","textBytes":2}"#,
            #"{"offset":0,"length":1,"line":1,"kind":"user","time":[2,1,"stated"]}"#,
            #"{"end":{}}"#, #"{"offset":0,"length":1,"line":1,"kind":"user","command":"x"}"#,
        ]
    )
    func refused(line: String) {
        #expect(throws: Failure.self) { try RecordLine.decode(Array(line.utf8)) }
    }

    @Test("a text beyond its bound is refused")
    func overlong() {
        let text = String(repeating: "x", count: 601)
        let line = #"{"offset":0,"length":1,"line":1,"kind":"user","text":"\#(text)","textBytes":601}"#
        #expect(throws: Failure.self) { try RecordLine.decode(Array(line.utf8)) }
    }

    @Test("records outside the file, out of order or behind the end are refused")
    func places() throws {
        func line(_ offset: Int64, _ length: Int64, part: Int64 = 0) -> [UInt8] {
            var record = Record(offset: offset, length: length, line: 1, kind: .user)
            record.part = part
            return Array(RecordLine.encode(.record(record)).dropLast())
        }
        var outside = WorkerRecords(fileBytes: 10)
        #expect(throws: Failure.self) { try outside.decode(line(5, 6)) }
        var overflow = WorkerRecords(fileBytes: 10)
        #expect(throws: Failure.self) { try overflow.decode(line(.max, 6)) }
        var backwards = WorkerRecords(fileBytes: 10)
        _ = try backwards.decode(line(5, 5))
        _ = try backwards.decode(line(5, 5, part: 1))
        #expect(throws: Failure.self) { try backwards.decode(line(0, 5)) }
        var ended = WorkerRecords(fileBytes: 10)
        _ = try ended.decode(Array(RecordLine.encode(.end(ReadSummary())).dropLast()))
        #expect(throws: Failure.self) { try ended.decode(line(0, 5)) }
    }

    @Test("a line without end is refused before it fills the memory")
    func endless() throws {
        let output = try LogFile([UInt8](repeating: 0x20, count: 300_000))
        lseek(output.descriptor, 0, SEEK_SET)
        #expect(throws: Failure.self) { try WorkerRecords.read(from: output.descriptor, fileBytes: 10) { _ in } }
    }

    @Test("every record of hostile text fits the line's bound")
    func hostileTextFits() throws {
        let bell = String(repeating: "\u{1}", count: 3000)
        let escaped = bell.unicodeScalars.map { _ in "\\u0001" }.joined()
        let members = ["uuid", "parentUuid", "sessionId", "agentId", "cwd"].map { "\"\($0)\":\"\(escaped)\"" }
        let block =
            #"{"type":"tool_use","id":"\#(escaped)","name":"\#(escaped)","input":{"command":"\#(escaped)","path":"\#(escaped)"}}"#
        let line = "{\"type\":\"assistant\",\(members.joined(separator: ",")),\"message\":{\"content\":[\(block)]}}"
        let (records, _) = try LogFile(line).records()
        let encoded = RecordLine.encode(.record(try #require(records.first)))
        #expect(encoded.count <= RecordLine.bound)
        #expect(try RecordLine.decode(Array(encoded.dropLast())) == .record(records[0]))
    }
}
