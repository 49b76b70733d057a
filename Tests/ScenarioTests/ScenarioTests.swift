import Glibc
import Programs
import Testing

/// The text files of Tests/ScenarioTests/Scenarios, run with the binary that QUELL_BINARY names.
@Suite("scenarios", .enabled(if: Program.ownEnvironment()["QUELL_BINARY"] != nil))
struct ScenarioTests {
    static let folder = String(#filePath).split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/Scenarios"
    static let names = (Files.names(in: folder) ?? []).filter { $0.hasSuffix(".txt") }

    @Test("a scenario goes as its text says", arguments: names)
    func runs(name: String) throws {
        let scenario = try Scenario(name: name, text: try #require(Files.text("\(ScenarioTests.folder)/\(name)")))
        if scenario.needs.contains("root"), geteuid() != 0 {
            Skips.record("scenario \(name)", "needs root")
            try Test.cancel("needs root")
        }
        // As root the store must not lie below a folder that everybody may write.
        let template = geteuid() == 0 ? "/var/lib/quell-scenario-XXXXXX" : "/tmp/quell-scenario-XXXXXX"
        let work = try #require(Files.makeTemporaryFolder(template))
        let places = Places(work: work, stage: "\(ScenarioTests.folder)/stage")
        defer {
            clean(places)
            Files.removeTree(work)
        }
        for file in scenario.files { #expect(Files.write(file.text, to: "\(work)/\(file.name)") == 0) }
        for step in scenario.steps { try run(step, of: name, in: places) }
    }

    /// Ends what the stage started; a scenario that leaves something behind is a failure.
    private func clean(_ places: Places) {
        guard geteuid() == 0 else { return }
        do {
            let stage = Program(places.stage, ["clean"], environment: places.environment, directory: places.work)
            let result = try stage.run(within: .seconds(30))
            #expect(result.status == 0, "the stage is not clean: \(result.errorText)")
        } catch {
            Issue.record("the stage cannot be cleaned: \(error)")
        }
    }

    private func run(_ step: Scenario.Step, of name: String, in places: Places) throws {
        let words = step.words.map(places.filling)
        let program = try #require(words.first)
        let path = program == "quell" ? Program.ownEnvironment()["QUELL_BINARY"] : Program.find(program)
        let result = try Program(
            try #require(path, "\(name):\(step.line): there is no program \(program)"),
            Array(words.dropFirst()),
            environment: places.environment,
            directory: places.work
        ).run(within: .seconds(60))
        let place = "\(name):\(step.line): \(step.words.joined(separator: " "))"
        #expect(result.status == step.status, "\(place): \(result.errorText)")
        let output = lines(result.text)
        let error = lines(result.errorText)
        let expected = step.error.map(places.filling)
        #expect(Expectation.matches(output, step.output.map(places.filling)), "\(place): standard output is \(output)")
        let isAsWritten = Expectation.matches(error, expected) || Expectation.matches(besidesSlowStore(error), expected)
        #expect(isAsWritten, "\(place): standard error is \(error)")
    }

    /// What a freeze says without the two lines about a store that did not answer in 20 ms, which on a busy machine is no
    /// fault of anybody. A scenario that is about them writes them down.
    private func besidesSlowStore(_ lines: [String]) -> [String] {
        lines.filter { line in
            !(line.hasPrefix("warning: the journal is kept in") && line.hasSuffix("the store did not answer in 20 ms"))
                && line != "record       brought into the case, marked late"
        }
    }

    private func lines(_ text: String) -> [String] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }
}

@Suite("the scenario language")
struct ScenarioLanguageTests {
    @Test("a scenario is read with its commands, expectations and files")
    func reads() throws {
        let scenario = try Scenario(
            name: "x",
            text:
                "# a title\nneeds root\n\n$ quell freeze 'a b'\n> out\n! err\n? 2\n--- f.yaml ---\na: 1\n\n--- g ---\n"
        )
        #expect(scenario.needs == ["root"])
        #expect(scenario.steps.count == 1)
        #expect(scenario.steps[0].words == ["quell", "freeze", "a b"])
        #expect(scenario.steps[0].output == ["out"])
        #expect(scenario.steps[0].error == ["err"])
        #expect(scenario.steps[0].status == 2)
        #expect(scenario.files.map(\.name) == ["f.yaml", "g"])
        #expect(scenario.files.map(\.text) == ["a: 1\n\n", ""])
    }

    @Test(
        "a line that means nothing is refused",
        arguments: ["> before\n$ quell", "$ quell\nfoo", "$ quell\n? x", "# no"]
    )
    func refuses(text: String) {
        #expect(throws: Scenario.Malformed.self) { try Scenario(name: "x", text: text) }
    }

    @Test("placeholders match text and lines, and nothing else does")
    func placeholders() {
        #expect(Expectation.matches(["a", "b", "c"], ["a", "...", "c"]))
        #expect(Expectation.matches(["a", "c"], ["a", "...", "c"]))
        #expect(!Expectation.matches(["a", "b"], ["a"]))
        #expect(!Expectation.matches([], ["a"]))
        #expect(Expectation.matchesLine("froze 12 processes", "froze [..] processes"))
        #expect(Expectation.matchesLine("froze 12 of 13", "froze [..] of [..]"))
        #expect(!Expectation.matchesLine("aXbb", "a[..]bXb"))
        #expect(!Expectation.matchesLine("a", "a[..]a"))
        #expect(!Expectation.matchesLine("ab", "a"))
    }
}
