import Base
import Glibc
import Logs
import Testing

@Suite("Claude Code transcripts")
struct ClaudeCodeTests {
    @Test("a captured file gives a record for every line and knows every type in it")
    func capturedFile() throws {
        let (records, summary) = try LogFile(fixture: "agent-sessions_small.jsonl").records()
        #expect(summary.lines == 89)
        #expect(summary.unreadable == 0)
        #expect(summary.unknownTypes.isEmpty)
        #expect(Set(records.map(\.line)).count + Int(summary.repeated) == 89)
    }

    @Test("an assistant line becomes one record for each block, in order, at one place")
    func blocks() throws {
        let (records, _) = try LogFile(fixture: "agent-sessions_small.jsonl").records()
        let parts = records.filter { $0.id == "a1" }
        #expect(parts.map(\.kind) == [.thinking, .assistant, .toolUse])
        #expect(parts.map(\.part) == [0, 1, 2])
        #expect(Set(parts.map(\.offset)).count == 1)
        #expect(parts[2].tool?.name == "bash")
        #expect(parts[2].tool?.command == "ls")
        #expect(parts[2].time?.interval.earliest == Instant(rfc3339: "2025-12-16T00:00:02.000Z"))
        #expect(parts[2].time?.interval.latest == Instant(rfc3339: "2025-12-16T00:00:02.000999999Z"))
    }

    @Test("a tool result joins its call by identifier and is no user text")
    func toolResult() throws {
        let (records, _) = try LogFile(fixture: "ccl_representative_messages.jsonl").records()
        let results = records.filter { $0.kind == .toolResult }
        #expect(results.map(\.tool?.callID) == ["tool_001", "tool_002"])
        #expect(results[1].text?.text == "Hello, Alice!\nHello, Alice!\nHello, Alice!")
        #expect(records.filter { $0.kind == .user }.count == 4)
    }

    @Test("a denied call, an error and the origin of a prompt are told apart")
    func marks() throws {
        let (records, _) = try LogFile(fixture: "agent-sessions_small.jsonl").records()
        let denied = try #require(records.first { $0.id == "u2b" })
        #expect(denied.isDenied && denied.isError && denied.kind == .toolResult)
        #expect(records.first { $0.id == "u1" }?.origin == "human")
        #expect(records.first { $0.id == "u3" }?.origin == "compact-summary")
    }

    @Test("values that are no record, members with wrong names and a broken to-do list become records")
    func edgeCases() throws {
        let (records, summary) = try LogFile(fixture: "ccl_edge_cases.jsonl").records()
        #expect(summary.lines == 19)
        #expect(summary.unreadable == 0)
        #expect(summary.unknownTypes == ["(no object)": 3, "(none)": 1])
        #expect(records.first { $0.line == 11 }?.time == nil)
        #expect(records.first { $0.line == 12 }?.text?.text.hasPrefix("Testing special characters: café") == true)
    }

    @Test("a sub-agent's file and its side file name the agent")
    func subagent() throws {
        let folder = "subagent/0a1b2c3d-4e5f-4061-8071-2a3b4c5d6e7f/subagents/"
        let (records, _) = try LogFile(fixture: folder + "agent-a0ad4f44468bdf20d.jsonl").records()
        #expect(Set(records.map(\.agent)) == ["a0ad4f44468bdf20d"])
        #expect(records.map(\.isSidechain) == [true, true, true, true, true])
        let meta = try LogFile(fixture: folder + "agent-a0ad4f44468bdf20d.meta.json").records(as: .claudeCodeMeta)
        #expect(meta.records.map(\.kind) == [.agent])
        #expect(meta.records.first?.type == "general-purpose")
    }

    @Test("an unknown type becomes a record and is counted")
    func unknownType() throws {
        let log = try LogFile(#"{"type":"mind-meld","uuid":"x","timestamp":"2026-01-01T00:00:00Z"}"# + "\n")
        let (records, summary) = try log.records()
        #expect(records.map(\.kind) == [.unknown])
        #expect(summary.unknownTypes == ["mind-meld": 1])
        #expect(records[0].time != nil)
    }

    @Test("two objects run together on a line become two records")
    func runTogether() throws {
        let log = try LogFile(#"{"type":"mode","mode":"}{"}{"type":"mode","mode":"b"}"# + "\n")
        let (records, summary) = try log.records()
        #expect(records.map(\.kind) == [.state, .state])
        #expect(records.map(\.offset) == [0, 27])
        #expect(summary.unreadable == 0)
    }

    @Test("a torn object with a whole one spliced in gives the torn bytes as unreadable and the whole one as a record")
    func spliced() throws {
        let torn = #"{"type":"user","message":{"content":"half of a se"#
        let whole = #"{"type":"assistant","message":{"content":[{"type":"text","text":"whole"}]}}"#
        let (records, summary) = try LogFile(torn + whole + "\n").records()
        #expect(records.map(\.kind) == [.unreadable, .assistant])
        #expect(records.map(\.offset) == [0, Int64(torn.utf8.count)])
        #expect(records[0].reason == .malformed)
        #expect(records[1].text?.text == "whole")
        #expect(summary.unreadable == 1)
    }

    @Test("a run of NUL before a record is skipped and counted")
    func nulRun() throws {
        let (records, summary) = try LogFile([0, 0, 0] + Array(#"{"type":"mode"}"#.utf8) + [0x0A, 0, 0]).records()
        #expect(records.map(\.kind) == [.state])
        #expect(records[0].offset == 3)
        #expect(summary.nulBytes == 5)
    }

    @Test("a line beyond the limit is one unreadable record and reading goes on behind it")
    func tooLong() throws {
        let long = #"{"type":"user","message":{"content":""# + String(repeating: "x", count: 600_000) + #""}}"#
        let log = try LogFile(#"{"type":"mode"}"# + "\n" + long + "\n" + #"{"type":"mode"}"#)
        let (records, summary) = try log.records(limits: .init(lineBytes: 1000))
        #expect(records.map(\.kind) == [.state, .unreadable, .state])
        #expect(records[1].reason == .tooLong)
        #expect(records[1].length == Int64(long.utf8.count))
        #expect(records[2].line == 3)
        #expect(summary.recordBytes + 2 == summary.bytes)
    }

    @Test("a hole of a terabyte is passed over, and what stands behind it is read", .timeLimit(.minutes(1)))
    func hole() throws {
        let line = #"{"type":"mode"}"# + "\n"
        let log = try LogFile(line)
        let far: Int64 = 1 << 40
        #expect(ftruncate(log.descriptor, off_t(far)) == 0)
        let behind = Array(("\n" + line).utf8)
        #expect(pwrite(log.descriptor, behind, behind.count, off_t(far)) == behind.count)
        let (records, summary) = try log.records()
        #expect(records.map(\.kind) == [.state, .unreadable, .state])
        #expect(records[1].length == far - Int64(line.utf8.count))
        #expect(summary.bytes == far + Int64(behind.count))
    }

    @Test("more records than the limit become one unreadable record to the end of the file")
    func tooMany() throws {
        let log = try LogFile(String(repeating: "{\"type\":\"mode\"}\n", count: 10))
        let (records, summary) = try log.records(limits: .init(records: 4))
        #expect(records.count == 5)
        #expect(records[4].reason == .tooMany)
        #expect(records[4].offset + records[4].length == summary.bytes)
    }

    @Test("blocks beyond the limit of a line are counted and left out")
    func tooManyBlocks() throws {
        let blocks = Array(repeating: #"{"type":"text","text":"x"}"#, count: 9).joined(separator: ",")
        let (records, summary) = try LogFile(#"{"type":"assistant","message":{"content":[\#(blocks)]}}"#)
            .records(limits: .init(blocks: 4))
        #expect(records.map(\.part) == [0, 1, 2, 3])
        #expect(summary.blocksLeftOut == 5)
    }

    @Test("a line repeated by compaction is counted, not told again; a copied identifier hides nothing")
    func repeated() throws {
        let line = #"{"type":"user","uuid":"u1","message":{"content":"rm -rf"}}"# + "\n"
        let other = #"{"type":"user","uuid":"u1","message":{"content":"other"}}"# + "\n"
        let (records, summary) = try LogFile(line + other + line).records()
        #expect(records.map(\.text?.text) == ["rm -rf", "other"])
        #expect(summary.repeated == 1)
        #expect(summary.records == 3)
    }

    @Test("long texts are cut at a scalar and keep their length")
    func longText() throws {
        let text = String(repeating: "é", count: 1000)
        let (records, _) = try LogFile(#"{"type":"user","message":{"content":"\#(text)"}}"#).records()
        let excerpt = try #require(records.first?.text)
        #expect(excerpt.isCut)
        #expect(excerpt.totalBytes == 2000)
        #expect(excerpt.text == String(repeating: "é", count: 300))
    }

    @Test("a file that cannot be read is a failure with its errno")
    func badDescriptor() {
        #expect(throws: Failure.self) { try RecordReader.read(-1, as: .claudeCode) { _ in } }
    }
}
