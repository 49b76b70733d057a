import Base
import Glibc
import Testing
import Timeline

@Suite("Exports")
struct ExportTests {
    @Test(
        "the demo's story in all three forms is what the golden files hold",
        arguments: ["table", "jsonl", "timesketch"]
    )
    func golden(form: String) throws {
        let text = try export(Demo.evidence(), as: form)
        #expect(text == (try golden(form, replacedBy: text)))
    }

    @Test("RT37 hostile texts reach a terminal only escaped, in each column", arguments: HostileName.all)
    func terminal(name: HostileName) throws {
        let text = try export(evidence(with: name), as: "table")
        for scalar in text.unicodeScalars where scalar != "\n" {
            #expect(!scalar.properties.isDefaultIgnorableCodePoint && scalar.properties.generalCategory != .control)
            #expect(!(0x202A...0x202E).contains(scalar.value) && !(0x2066...0x2069).contains(scalar.value))
        }
        #expect(text.contains(name.shown))
    }

    @Test("RT37 in JSON hostile texts stand only under the key that is declared untrusted", arguments: HostileName.all)
    func json(name: HostileName) throws {
        for line in try export(evidence(with: name), as: "jsonl").split(separator: "\n").dropFirst() {
            var object = try #require(try JSONReader.read(Array(line.utf8)).object)
            object["untrusted"] = nil
            #expect(!CanonicalJSON.text(of: .object(object)).contains("evil"))
        }
    }

    @Test(
        "RT14 RT37 in Timesketch hostile texts are escaped and the keys that hold them are declared",
        arguments: HostileName.all
    )
    func timesketch(name: HostileName) throws {
        for line in try export(evidence(with: name), as: "timesketch").split(separator: "\n") {
            let value = try JSONReader.read(Array(line.utf8))
            let declared = Set(try #require(value["untrusted"]?.string).split(separator: " ").map { String($0) })
            for member in try #require(value.object).members {
                guard let text = member.value.string, text.contains("evil") else { continue }
                #expect(declared.contains(member.key))
                #expect(text == Escaped.terminal(text).replacing("\\\\", with: "\\"))
            }
        }
    }

    @Test("a Timesketch file has at least three lines and one type for each key")
    func timesketchShape() throws {
        #expect(try export(MemoryEvidence(), as: "timesketch").split(separator: "\n").count == 3)
        var types: [String: Set<String>] = [:]
        for line in try export(Demo.evidence(), as: "timesketch").split(separator: "\n") {
            for member in try #require(try JSONReader.read(Array(line.utf8)).object).members {
                types[member.key, default: []].insert("\(member.value)".prefix { $0 != "(" }.description)
            }
        }
        #expect(types.values.filter { $0.count != 1 }.isEmpty)
        #expect(Set(types.keys).isSuperset(of: ["message", "datetime", "timestamp", "timestamp_desc", "tag"]))
    }

    @Test("a table keeps to its width, wide letters counted", arguments: [60, 100, 160])
    func width(cells: Int) throws {
        var evidence = Demo.evidence()
        let wide = String(repeating: "中🎉", count: 100)
        evidence.add(
            transcript: "w.jsonl",
            [#"{"type":"user","timestamp":"2026-09-21T14:13:29Z","message":{"content":"\#(wide)"}}"#]
        )
        var options = TableExport.Options()
        options.width = cells
        options.showsCoverage = false
        let built = try BuiltTimeline(evidence)
        var lines: [String] = []
        try TableExport.write(built.store, options) { lines.append($0) }
        for line in lines where line.contains("claims") {
            let wideCount = line.unicodeScalars.filter { $0 == "中" || $0 == "🎉" }.count
            #expect(line.unicodeScalars.count + wideCount <= max(cells, 90))
        }
        #expect(lines.contains { $0.contains("中") && $0.hasSuffix("…") })
    }

    @Test("a table without a width, as a program or a file gets it, cuts nothing of what was done")
    func noWidth() throws {
        var evidence = Demo.evidence()
        let long = String(repeating: "word ", count: 100) + "end"
        evidence.add(
            transcript: "w.jsonl",
            [#"{"type":"user","timestamp":"2026-09-21T14:13:29Z","message":{"content":"\#(long)"}}"#]
        )
        var options = TableExport.Options()
        options.width = nil
        let built = try BuiltTimeline(evidence)
        var lines: [String] = []
        try TableExport.write(built.store, options) { lines.append($0) }
        #expect(lines.contains { $0.contains(long) })
    }

    @Test("a limit and a beginning show a part and say how much is left")
    func limited() throws {
        let built = try BuiltTimeline(Demo.evidence())
        var options = TableExport.Options()
        options.query.limit = 3
        options.query.since = try built.store.storyStart()
        options.showsCoverage = false
        var lines: [String] = []
        try TableExport.write(built.store, options) { lines.append($0) }
        #expect(lines.count == 5)
        #expect(lines[1].contains("claims to be told"))
        #expect(lines[4].contains("more rows are not shown"))
    }

    // MARK: Helpers

    private func export(_ evidence: MemoryEvidence, as form: String) throws -> String {
        let built = try BuiltTimeline(evidence)
        var text = ""
        let write = { (line: String) throws(Failure) in text += line + "\n" }
        var all = EventStore.Query()
        all.includesBookkeeping = true
        switch form {
        case "table": try TableExport.write(built.store, to: write)
        case "jsonl": try JSONLinesExport.write(built.store, all, to: write)
        default: try TimesketchExport.write(built.store, all, to: write)
        }
        return text
    }

    private func evidence(with name: HostileName) -> MemoryEvidence {
        var evidence = MemoryEvidence()
        let text = CanonicalJSON.text(of: .string(name.text))
        let time = #""timestamp":"2026-09-21T14:13:20Z""#
        evidence.add(
            transcript: name.text + ".jsonl",
            [
                #"{"type":"user",\#(time),"sessionId":\#(text),"agentId":\#(text),"origin":{"kind":\#(text)},"message":{"content":\#(text)}}"#,
                #"{"type":"assistant",\#(time),"message":{"content":[{"type":"tool_use","id":\#(text),"name":\#(text),"input":{\#(text):1}}]}}"#,
                #"{"type":\#(text),\#(time)}"#,
            ]
        )
        evidence.add(
            "data/processes.jsonl",
            [
                #"{"pid":1,"started":"2026-09-21T14:13:20Z","comm":\#(text),"exe":\#(text),"argv":[\#(text)],"membership":"stray"}"#
            ]
        )
        evidence.add(
            "data/collection.jsonl",
            [#"{"item":"file","root":"workspace","path":\#(text),"born":"2026-09-21T14:13:20Z","type":"file"}"#]
        )
        return evidence
    }

    /// The golden file's text; with QUELL_RECORD_GOLDEN set it is written first.
    private func golden(_ form: String, replacedBy text: String, file: String = #filePath) throws -> String {
        let folder = "/" + file.split(separator: "/").dropLast().joined(separator: "/")
        let path = "\(folder)/Golden/demo.\(form)"
        if getenv("QUELL_RECORD_GOLDEN") != nil {
            let output = try #require(fopen(path, "w"))
            fputs(text, output)
            fclose(output)
        }
        let input = try #require(fopen(path, "r"), "record it with QUELL_RECORD_GOLDEN=1")
        defer { fclose(input) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, input)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}

/// A name that attacks what shows it.
struct HostileName: CustomTestStringConvertible, Sendable {
    let text: String
    /// A part of its escaped form.
    let shown: String

    var testDescription: String { shown }

    static let all = [
        HostileName(text: "evil\u{1B}[2J\u{1B}]0;x\u{7}", shown: "evil\\u{1b}[2J"),
        HostileName(text: "evil\u{202E}txt.exe\u{2066}", shown: "evil\\u{202e}txt"),
        HostileName(text: "evil\nQuell  done", shown: "evil\\nQuell"),
        HostileName(text: "evil\u{9B}31m", shown: "evil\\u{9b}31m"),
        HostileName(text: "evil\u{200B}\u{E0041}", shown: "evil\\u{200b}"),
        HostileName(text: "evil$(reboot)`id`", shown: "evil$(reboot)"),
    ]
}
