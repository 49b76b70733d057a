import Base
import Logs
import Testing

@Suite("Plain logs")
struct PlainLogTests {
    static let latest = Instant(rfc3339: "2026-01-03T00:00:00Z")

    @Test(
        "times in front of a line are read with their precision and zone",
        arguments: [
            ("2025-11-22T14:20:00Z hello", "2025-11-22T14:20:00Z", RecordTime.Zone.stated, Int64(1_000_000_000)),
            ("2025-11-22T16:20:00.5+02:00 hello", "2025-11-22T14:20:00.5Z", .stated, 100_000_000),
            ("2025-11-22T14:20:00.123456789+0000 hello", "2025-11-22T14:20:00.123456789Z", .stated, 1),
            ("[2025-11-22 14:20:00,123] hello", "2025-11-22T14:20:00.123Z", .assumedUTC, 1_000_000),
            ("Nov 22 14:20:00 hello", "2025-11-22T14:20:00Z", .assumedYear, 1_000_000_000),
            ("Jan  2 14:20:00 hello", "2026-01-02T14:20:00Z", .assumedYear, 1_000_000_000),
        ]
    )
    func times(line: String, moment: String, zone: RecordTime.Zone, step: Int64) throws {
        let (records, _) = try LogFile(line + "\n").records(as: .plain(latest: PlainLogTests.latest))
        let record = try #require(records.first)
        #expect(record.text?.text == "hello")
        let time = try #require(record.time)
        #expect(time.interval.earliest == Instant(rfc3339: moment))
        #expect(time.interval.latest.nanoseconds - time.interval.earliest.nanoseconds == step - 1)
        #expect(time.zone == zone)
    }

    @Test(
        "a line without a time keeps its place and has none",
        arguments: ["just text", "2025-13-01T00:00:00Z x", "Nov 22"]
    )
    func withoutTime(line: String) throws {
        let (records, _) = try LogFile(line).records(as: .plain(latest: nil))
        #expect(records.map(\.kind) == [.line])
        #expect(records[0].time == nil)
        #expect(records[0].text?.text == line)
    }

    @Test("bytes that are not UTF-8 are shown repaired")
    func invalidBytes() throws {
        let (records, _) = try LogFile([0x61, 0xFF, 0x62]).records(as: .plain(latest: nil))
        #expect(records[0].text?.text == "a\u{FFFD}b")
    }

    @Test("formats are told by the file's name and survive being written as text")
    func formats() {
        #expect(RecordFormat(transcript: BytePath("a/b.jsonl")) == .claudeCode)
        #expect(RecordFormat(transcript: BytePath("a/agent-1.meta.json")) == .claudeCodeMeta)
        #expect(RecordFormat(transcript: BytePath("a/tool-results/x.txt")) == nil)
        for format in [
            RecordFormat.claudeCode, .claudeCodeMeta, .plain(latest: nil), .plain(latest: .init(nanoseconds: -5)),
        ] {
            #expect(RecordFormat(format.description) == format)
        }
        #expect(RecordFormat("plain@x") == nil)
    }
}
