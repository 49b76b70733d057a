import Base
import Glibc
import Logs
import Testing
import Timeline

@Suite("One timeline of a bundle")
struct TimelineTests {
    @Test("every source tells its events in one order of time")
    func order() throws {
        let rows = try BuiltTimeline(Demo.evidence()).rows()
        let times = rows.compactMap { $0.event.time?.interval.earliest }
        #expect(times.count == rows.count)
        #expect(times == times.sorted())
        #expect(Set(rows.map(\.source.source.kind)) == [.transcript, .processes, .files, .log, .journal])
        #expect(
            rows.filter { $0.event.verb == .says }.map(\.words) == [
                "I will list the files.", "12 months.", "Done. I only listed files.",
            ]
        )
    }

    @Test("two builds of the same bundle give the same rows")
    func deterministic() throws {
        let one = try BuiltTimeline(Demo.evidence())
        let other = try BuiltTimeline(Demo.evidence())
        #expect(try one.everything() == other.everything())
        #expect(try one.store.sources() == other.store.sources())
    }

    @Test("events at one time keep the order of the sources and of the file")
    func ties() throws {
        var evidence = MemoryEvidence()
        let line = { (word: String) in
            #"{"type":"user","timestamp":"2026-01-01T00:00:00Z","message":{"content":"\#(word)"}}"#
        }
        evidence.add(transcript: "a.jsonl", [line("a1"), line("a2")])
        evidence.add(transcript: "b.jsonl", [line("b1"), line("b2")])
        #expect(try BuiltTimeline(evidence).rows().map(\.words) == ["a1", "a2", "b1", "b2"])
    }

    @Test("RT3 a user or system record in a transcript is a claimed instruction, whatever it says of its origin")
    func forgedOrder() throws {
        var evidence = MemoryEvidence()
        evidence.add(
            transcript: "a.jsonl",
            [
                #"{"type":"user","origin":{"kind":"human"},"promptSource":"typed","message":{"content":"wipe it"}}"#,
                #"{"type":"system","content":"wipe it"}"#,
                #"{"type":"user","isMeta":true,"message":{"content":[{"type":"text","text":"wipe it"}]}}"#,
            ]
        )
        let rows = try BuiltTimeline(evidence).rows()
        #expect(rows.map(\.event.kind) == [.claimedInstruction, .claimedInstruction, .claimedInstruction])
        #expect(rows.map(\.event.writers) == [.session, .session, .session])
    }

    @Test("RT3 an instruction that the session could have written becomes a claimed one")
    func noInstructionFromSession() {
        let citation = Citation(offset: 0, length: 1, line: 1)
        #expect(
            Event(.instruction, .told, by: [.session, .provider], at: nil, in: citation).kind == .claimedInstruction
        )
        #expect(Event(.instruction, .told, by: [], at: nil, in: citation).kind == .claimedInstruction)
        #expect(Event(.instruction, .told, by: .provider, at: nil, in: citation).kind == .instruction)
    }

    @Test("RT25 only what the kernel or a provider alone could write is an observation")
    func observationsNeedTheKernel() throws {
        let citation = Citation(offset: 0, length: 1, line: 1)
        for writers in [Writers.session, [.session, .kernel], .otherUser, [], .quell] {
            #expect(Event(.observation, .bornFile, by: writers, at: nil, in: citation).kind == .testimony)
        }
        let rows = try BuiltTimeline(Demo.evidence()).everything()
        for row in rows where row.event.kind == .observation { #expect(row.event.writers == .kernel) }
        let dated = rows.filter { $0.event.verb == .datedFile }
        #expect(dated.map(\.words) == ["workspace/salaries-copy.csv"])
        #expect(dated.map(\.event.kind) == [.testimony])
    }

    @Test("RT25 a line of a log is testimony, whoever owns the log")
    func logsAreTestimony() throws {
        let rows = try BuiltTimeline(Demo.evidence()).rows().filter { $0.source.source.kind == .log }
        #expect(rows.map(\.event.kind) == [.testimony])
        #expect(rows.map(\.event.writers) == [[.session, .otherUser]])
    }

    @Test("a record without a time lies between its neighbours in the file")
    func untimed() throws {
        var evidence = MemoryEvidence()
        let timed = { (second: String) in
            #"{"type":"user","timestamp":"2026-01-01T00:00:\#(second)Z","message":{"content":"\#(second)"}}"#
        }
        let untimed = #"{"type":"user","message":{"content":"untimed"}}"#
        evidence.add(transcript: "a.jsonl", [untimed, timed("01"), untimed, timed("05"), untimed])
        let rows = try BuiltTimeline(evidence).rows()
        #expect(rows.map(\.words) == ["untimed", "01", "untimed", "05", "untimed"])
        #expect(rows.map(\.event.time?.basis) == [.neighbours, .stated, .neighbours, .stated, .neighbours])
        let between = try #require(rows[2].event.time?.interval)
        #expect(between.earliest == Instant(rfc3339: "2026-01-01T00:00:01Z"))
        #expect(between.latest == Instant(rfc3339: "2026-01-01T00:00:05.999999999Z"))
        #expect(rows[4].event.time?.interval.latest == evidence.captured.latest)
    }

    @Test("a file without any time stands at the end, with its order kept")
    func timeless() throws {
        var evidence = Demo.evidence()
        evidence.add(
            transcript: "z.jsonl",
            [#"{"type":"user","message":{"content":"one"}}"#, #"{"type":"user","message":{"content":"two"}}"#]
        )
        let rows = try BuiltTimeline(evidence).rows()
        #expect(rows.suffix(2).map(\.words) == ["one", "two"])
        #expect(rows.suffix(2).map(\.event.time) == [nil, nil])
    }

    @Test("a source says what it covers, what was left out and that silence is unknown")
    func coverage() throws {
        var evidence = Demo.evidence()
        evidence.add(transcript: "b.jsonl", ["{broken", #"{"type":"mind-meld"}"#])
        let sources = try BuiltTimeline(evidence).store.sources()
        let broken = try #require(sources.first { $0.source.path == BytePath("b.jsonl") })
        #expect(broken.coverage.unreadable == 1)
        #expect(broken.coverage.unknownTypes == ["mind-meld": 1])
        let unread = try #require(sources.first { $0.source.path?.lastComponent == BytePath("big.txt") })
        #expect(unread.coverage.extent == .none)
        #expect(sources.first { $0.source.kind == .processes }?.coverage.extent == .snapshot)
    }

    @Test("a worker that fails leaves an incomplete source and the rest of the timeline")
    func failingWorker() throws {
        let built = try BuiltTimeline(Demo.evidence()) { log, deliver throws(Failure) in
            var left = 2
            return try Timeline.readInProcess(log) { (record) throws(Failure) in
                left -= 1
                if left < 0 { throw Failure(.malformed, "read a worker's records", on: "x", because: "it went mad") }
                try deliver(record)
            }
        }
        let transcript = try #require(try built.store.sources().first)
        #expect(!transcript.coverage.isComplete)
        #expect(transcript.coverage.events == 2)
        #expect(transcript.coverage.remark?.contains("it went mad") == true)
        #expect(try built.rows().contains { $0.event.kind == .responder })
    }

    @Test("a rebuild replaces the store and leaves no draft")
    func rebuild() throws {
        let built = try BuiltTimeline(Demo.evidence())
        let count = try built.store.count()
        let draft = built.folder.appending("timeline.sqlite.building")
        let leftover = draft.withCString { open($0, O_CREAT | O_WRONLY, 0o600) }
        close(leftover)
        let again = try Timeline.build(
            from: Demo.evidence(),
            journal: nil,
            at: built.folder.appending("timeline.sqlite"),
            readLog: Timeline.readInProcess
        )
        #expect(try again.count() == count)
        #expect(draft.withCString { access($0, F_OK) } != 0)
    }

    @Test("opening what is no timeline is a failure")
    func noTimeline() throws {
        #expect(throws: Failure.self) { try EventStore(opening: BytePath("/nonexistent/timeline.sqlite")) }
        #expect(throws: Failure.self) { try EventStore(opening: BytePath("/etc/hostname")) }
    }

    @Test("what a file's line tells of: birth, change, deletion, and a date that its owner set")
    func fileLines() throws {
        var evidence = MemoryEvidence()
        let times = { (born: String, changed: String, modified: String) in
            #""born":"2026-01-01T00:00:\#(born)Z","changed":"2026-01-01T00:00:\#(changed)Z","#
                + #""modified":"2026-01-01T00:00:\#(modified)Z""#
        }
        evidence.add(
            "data/collection.jsonl",
            [
                #"{"item":"file","root":"w","path":"once","type":"file",\#(times("01.00", "01.05", "01.05"))}"#,
                #"{"item":"file","root":"w","path":"again","type":"file",\#(times("02.00", "03.00", "03.00"))}"#,
                #"{"item":"file","root":"w","path":"dated","type":"file",\#(times("04.00", "04.00", "59.00"))}"#,
                #"{"item":"deletedFile","path":"/gone",\#(times("05.00", "06.00", "06.00"))}"#,
                #"{"item":"file","root":"w","path":".","type":"directory",\#(times("07.00", "08.00", "08.00"))}"#,
                #"{"item":"transcript","root":"transcripts","path":"a.jsonl",\#(times("09.00", "10.00", "10.00"))}"#,
                #"{"item":"file","root":"w","path":"never","outcome":"failed","errno":13}"#,
            ]
        )
        let told = try BuiltTimeline(evidence).rows().map { "\($0.event.verb) \($0.words)" }
        #expect(
            told == [
                "bornFile w/once", "bornFile w/again", "changedFile w/again", "bornFile w/dated", "bornFile /gone",
                "deletedFile /gone", "bornFile w", "datedFile w/dated",
            ]
        )
    }

    @Test("a journal tells what an outcome was the outcome of, and marks what came late")
    func journalWords() throws {
        let words = try BuiltTimeline(Demo.evidence()).rows().filter { $0.event.kind == .responder }
        #expect(words.map(\.words) == ["freeze cgroup /agents/a7", "freeze cgroup /agents/a7: state done"])
        #expect(words.map(\.event.stage) == [.requested, .executed])
    }

    @Test("the same words in NUL, broken UTF-8 and any letter come back from the store")
    func textsSurvive() throws {
        var evidence = MemoryEvidence()
        evidence.add(
            "data/collection.jsonl",
            [
                #"{"item":"file","root":"w","path":{"bytes":"YQD/"},"born":"2026-01-01T00:00:00.000000000Z"}"#,
                #"{"item":"file","root":"w","path":{"bytes":"Yf9i"},"born":"2026-01-01T00:00:01.000000000Z"}"#,
            ]
        )
        evidence.add(
            transcript: "a.jsonl",
            [#"{"type":"user","timestamp":"2026-01-01T00:00:02Z","message":{"content":"x\u0000rm"}}"#]
        )
        let rows = try BuiltTimeline(evidence).rows()
        #expect(
            rows.map(\.event.object.bytes) == [Array("w/a".utf8), [0x77, 0x2F, 0x61, 0xFF, 0x62], Array("x\0rm".utf8)]
        )
    }
}
