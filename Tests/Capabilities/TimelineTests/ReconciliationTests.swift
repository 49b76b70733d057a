import Base
import Testing
import Timeline

@Suite("What was asked for beside what was observed")
struct ReconciliationTests {
    @Test("the claim to have only listed files stands beside what no tool call names")
    func falseClaim() throws {
        let rows = try BuiltTimeline(Demo.evidence()).rows()
        let claim = try #require(rows.first { $0.words == "Done. I only listed files." })
        let beside = rows.filter { $0.statement == claim.id }
        #expect(claim.seen == Int64(beside.count))
        #expect(
            beside.filter { $0.mark == .unclaimed }.map(\.words) == [
                "workspace/salaries-copy.csv", "workspace/salaries-copy.csv", "/srv/demo/.cache/plan.txt",
                "/srv/demo/.cache/plan.txt", "/usr/bin/python3.11",
            ]
        )
        #expect(claim.unclaimed == 5)
        #expect(beside.filter { $0.mark == .claimed }.map(\.words) == ["workspace/report.md"])
    }

    @Test("what happened before the transcript begins is not held against it")
    func before() throws {
        let rows = try BuiltTimeline(Demo.evidence()).rows()
        let early = rows.filter {
            $0.words == "workspace/data/january.csv" || $0.event.actor.terminal == "python3[100]"
        }
        #expect(early.count == 2)
        #expect(early.map(\.mark) == [.none, .none])
    }

    @Test("without a transcript nothing is compared")
    func withoutTranscript() throws {
        var evidence = Demo.evidence()
        evidence.trees = [:]
        #expect(try BuiltTimeline(evidence).rows().filter { $0.mark != .none }.isEmpty)
    }

    @Test(
        "a process is named by a call that holds its program and what it works on",
        arguments: [
            ("python3 build.py --fast", "python3 build.py --fast", true),
            ("cd /w && python3 ./build.py", "python3 build.py", true),
            ("python3 build.py", "python3 /tmp/evil.py", false),
            ("ls -la", "python3 evil.py", false),
            ("lsof", "ls", false),
            ("ls -la", "/bin/bash -c ls -la", true),
            ("echo evil.py", "python3 evil.py", false),
        ]
    )
    func processNames(command: String, arguments: String, isNamed: Bool) throws {
        #expect(
            try marks(command: command, arguments: arguments, second: "01.000") == [isNamed ? .claimed : .unclaimed]
        )
    }

    @Test("a call names only what starts while it runs")
    func window() throws {
        #expect(try marks(command: "sleep 9", arguments: "sleep 9", second: "04.000") == [.claimed])
        #expect(try marks(command: "sleep 9", arguments: "sleep 9", second: "09.000") == [.unclaimed])
    }

    /// A call at second 0 with its result at second 3, and a process that starts at `second`.
    private func marks(command: String, arguments: String, second: String) throws -> [TimelineRow.Mark] {
        var evidence = MemoryEvidence()
        let time = #""timestamp":"2026-01-01T00:00:0"#
        evidence.add(
            transcript: "a.jsonl",
            [
                #"{"type":"assistant",\#(time)0Z","message":{"content":[{"type":"tool_use","id":"t","name":"Bash","input":{"command":"\#(command)"}}]}}"#,
                #"{"type":"user",\#(time)2.999Z","message":{"content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}}"#,
            ]
        )
        let words = arguments.split(separator: " ")
        let argv =
            words.dropFirst().first == "-c"
            ? [String(words[0]), "-c", words.dropFirst(2).joined(separator: " ")] : words.map { String($0) }
        let list = argv.map { "\"\($0)\"" }.joined(separator: ",")
        evidence.add(
            "data/processes.jsonl",
            [
                #"{"pid":7,"started":"2026-01-01T00:00:\#(second)Z","comm":"x","exe":"/x/\#(words[0])","argv":[\#(list)]}"#
            ]
        )
        return try BuiltTimeline(evidence).rows().filter { $0.event.kind == .observation }.map(\.mark)
    }
}
