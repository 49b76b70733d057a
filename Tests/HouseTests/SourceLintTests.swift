import Programs
import Testing

@Suite("source lint")
struct SourceLintTests {
    @Test("no source breaks a rule of the house")
    func sources() {
        let sources = Repository.sources(in: "Sources")
        #expect(sources.count > 20)
        #expect(sources.flatMap { SourceLint.complaints(about: $0) } == [])
    }

    @Test("no test is longer than a file may be")
    func lengths() {
        for source in Repository.sources(in: "Tests") where source.lines.count > SourceLint.longestFile {
            Issue.record("\(source.path) has \(source.lines.count) lines")
        }
    }

    @Test("no file is named for being a leftover")
    func names() {
        let leftovers = ["utils", "util", "helpers", "helper", "misc", "common"]
        for path in Repository.files(in: "Sources") {
            let name = path.split(separator: "/").last?.split(separator: ".").first?.lowercased() ?? ""
            #expect(!leftovers.contains(name), "\(path)")
            #expect(!name.contains("+"), "\(path): say what it holds")
        }
    }

    @Test("the lint sees what it forbids, and not what only looks like it")
    func canFail() {
        let bad = ["import FoundationEssentials", "let x = try! f()", "Task { }", "print(1)", "let d = JSONDecoder()"]
        for line in bad {
            let source = Repository.Source(path: "Sources/Ground/Base/X.swift", lines: [line])
            #expect(SourceLint.complaints(about: source).count == 1, "\(line)")
        }
        for line in ["blueprint(1)", "let task = MyTask {", "file.print(1)"] {
            let source = Repository.Source(path: "Sources/Ground/Base/X.swift", lines: [line])
            #expect(SourceLint.complaints(about: source) == [], "\(line)")
        }
        let long = Repository.Source(path: "Sources/Ground/Base/X.swift", lines: Array(repeating: "", count: 451))
        #expect(SourceLint.complaints(about: long) == ["Sources/Ground/Base/X.swift has 451 lines"])
    }

    @Test(
        "imports are read with every way of writing them",
        arguments: [
            "import Base", "public import Base", "internal import Base", "@testable import Base",
            "import struct Base.Digest",
            "@_spi(X) public import Base",
        ]
    )
    func readsImports(line: String) {
        #expect(Repository.Source.module(of: line) == "Base")
    }
}
