import ArgumentParser
import Base
import Casework
import Glibc
import Synchronization
import Testing

@testable import QuellCommands

/// What a command wrote, for tests.
final class Written: Sendable {
    private let bytes = Mutex<[UInt8]>([])
    var sink: Sink { Sink { more in self.bytes.withLock { $0 += more } } }
    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
}

extension Environment {
    /// An environment without variables and without a terminal.
    static func test(
        _ variables: [String: String] = [:],
        userID: UInt32 = 1000,
        output: Written = Written(),
        errors: Written = Written()
    ) -> Environment {
        Environment(
            now: { Instant(seconds: 0) },
            variable: { variables[$0] },
            output: output.sink,
            errors: errors.sink,
            userID: userID,
            terminal: Terminal(isInteractive: false, hasColour: false, columns: 100),
            startedAt: 0
        )
    }
}

/// A command that succeeds with one line of result.
private struct SaysOneLine: QuellCommand {
    @OptionGroup var common: CommonOptions

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        telling.result("done")
        return .done
    }
}

@Suite("the environment")
struct EnvironmentTests {
    @Test("the store is what the option says, else QUELL_STORE, else the place of the user")
    func store() {
        let home = ["HOME": "/home/r", "QUELL_STORE": "/srv/q", "XDG_STATE_HOME": "/state"]
        #expect(Environment.test(home).storeDirectory("/x") == BytePath("/x"))
        #expect(Environment.test(home).storeDirectory(nil) == BytePath("/srv/q"))
        #expect(Environment.test([:], userID: 0).storeDirectory(nil) == BytePath("/var/lib/quell"))
        #expect(Environment.test(["XDG_STATE_HOME": "/state"]).storeDirectory(nil) == BytePath("/state/quell"))
        #expect(
            Environment.test(["XDG_STATE_HOME": "relative", "HOME": "/h"]).storeDirectory(nil)
                == BytePath("/h/.local/state/quell")
        )
    }

    @Test("a result that cannot be written is a failure, but a reader that went away is none")
    func unwritten() throws {
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        defer { close(full) }
        let sink = Sink(descriptor: full)
        #expect(sink.failure == nil)
        sink.line("a result")
        #expect(sink.failure?.errno == ENOSPC)
        let errors = Written()
        var environment = Environment.test(errors: errors)
        environment.output = Sink(descriptor: full)
        #expect(try SaysOneLine.parse([]).outcome(in: environment) == .partial)
        #expect(errors.text.contains("ENOSPC"))
        #expect(try SaysOneLine.parse([]).outcome(in: Environment.test()) == .done)

        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        close(ends[0])
        signal(SIGPIPE, SIG_IGN)
        let piped = Sink(descriptor: ends[1])
        piped.line("a result")
        #expect(piped.failure == nil)
        close(ends[1])
    }

    @Test("a relative path lies behind the working directory, without ./")
    func relative() {
        let environment = Environment.test()
        #expect(environment.absolute(BytePath("./a")).lastComponent == BytePath("a"))
        #expect(environment.absolute(BytePath("a/b")).isAbsolute)
        #expect(!environment.absolute(BytePath("./a")).components.contains(BytePath(".")))
    }

    @Test("the responder is who was stated, and never believed from the environment alone")
    func responder() {
        #expect(Environment.test().responder("ada").name == "ada")
        #expect(Environment.test().responder("ada").source == .stated)
        let forged = Environment.test(["SUDO_USER": "root", "SUDO_UID": "4242"]).responder(nil)
        #expect(forged.name != "root")
    }

    @Test("a case is named by a well-formed name only")
    func cases() throws {
        #expect(try Environment.test(["QUELL_CASE": "amber-7f3a"]).namedCase(nil)?.text == "amber-7f3a")
        #expect(try Environment.test().namedCase(nil) == nil)
        #expect(throws: Failure.self) { try Environment.test().namedCase("../../etc") }
    }

    @Test("a word of a suggested command is quoted so that no shell runs anything")
    func quoting() {
        #expect(ShellWord.quoted("cgroup:/a7") == "cgroup:/a7")
        #expect(ShellWord.quoted("$(id)") == "'$(id)'")
        #expect(ShellWord.quoted("a'b`c`") == #"'a'\''b`c`'"#)
        #expect(ShellWord.quoted("") == "''")
    }

    @Test("spans, ages and sizes are said as people say them")
    func words() {
        #expect(Words.span(.microseconds(12_345)) == "12.3 ms")
        #expect(Words.span(.seconds(12)) == "12.0 s")
        #expect(Words.age(.seconds(119)) == "119 s")
        #expect(Words.age(.seconds(7200)) == "2 h")
        #expect(Words.bytes(512) == "512 B")
        #expect(Words.bytes(1536) == "1.5 KiB")
        #expect(Words.count(1, "process", "processes") == "1 process")
        #expect(Words.count(0, "process", "processes") == "0 processes")
    }

    @Test("a failure is told with its hint, and in JSON its hostile parts stand under untrusted keys")
    func failures() throws {
        let output = Written()
        let errors = Written()
        let environment = Environment.test([:], output: output, errors: errors)
        let command = try CaseShow.parse(["NOT-A-CASE", "--json", "--store", "/nonexistent/store"])
        #expect(command.outcome(in: environment) == .usage)
        #expect(errors.text.contains("error: cannot find the case: NOT-A-CASE"))
        #expect(errors.text.contains("hint: quell case list"))
        let document = try JSONReader.read(Array(output.text.utf8.dropLast()))
        #expect(document["exit"] == 64)
        #expect(document["failure"]?["untrustedSubject"] == "NOT-A-CASE")
    }

    @Test("every exit status has a meaning")
    func everyOutcomeHasAMeaning() {
        for outcome in Outcome.allCases { #expect(!outcome.meaning.isEmpty) }
        #expect(Set(Outcome.allCases.map(\.rawValue)) == [0, 1, 2, 3, 4, 5, 64, 75, 77, 130])
    }
}
