import Base
import Glibc
import Logs
import Testing

/// A log in an unlinked temporary file, as a worker gets it.
struct LogFile: ~Copyable {
    let descriptor: Int32
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        var template = Array("/tmp/quell-log-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        try #require(descriptor >= 0)
        unlink(template)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            try #require(count > 0)
            done += count
        }
    }

    init(_ text: String) throws { try self.init(Array(text.utf8)) }

    init(fixture: String) throws { try self.init(try LogFile.fixtureBytes(fixture)) }

    deinit { close(descriptor) }

    func records(
        as format: RecordFormat = .claudeCode,
        limits: RecordReader.Limits = .init()
    ) throws -> (records: [Record], summary: ReadSummary) {
        var records: [Record] = []
        let summary = try RecordReader.read(descriptor, as: format, limits: limits) { records.append($0) }
        return (records, summary)
    }

    static let fixtures = [
        "agent-sessions_small.jsonl", "ccl_edge_cases.jsonl", "ccl_representative_messages.jsonl",
        "subagent/0a1b2c3d-4e5f-4061-8071-2a3b4c5d6e7f.jsonl",
        "subagent/0a1b2c3d-4e5f-4061-8071-2a3b4c5d6e7f/subagents/agent-a0ad4f44468bdf20d.jsonl",
    ]

    static func fixtureBytes(_ name: String, file: String = #filePath) throws -> [UInt8] {
        let folder = file.split(separator: "/").dropLast().joined(separator: "/")
        let descriptor = open("/\(folder)/Fixtures/claude-code/\(name)", O_RDONLY | O_CLOEXEC)
        try #require(descriptor >= 0, "fixture \(name)")
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(descriptor, &bytes, bytes.count)
        try #require(count >= 0)
        return Array(bytes.prefix(count))
    }
}

/// Random numbers that are the same in every run (xorshift64*).
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
