import ArgumentParser
import Base
import Testing

@testable import QuellCommands

@Suite("the door")
struct DoorTests {
    static let verbs = ["freeze", "hold-restart", "isolate", "kill", "release", "thaw"]

    @Test(
        "a verb that goes straight to its parser gives the same help as through the tree",
        arguments: verbs
    )
    func sameHelp(verb: String) throws {
        let command = try #require(Door.direct(verb))
        #expect(command.helpMessage(columns: 100) == Quell.helpMessage(for: command, columns: 100))
    }

    @Test("a verb that goes straight to its parser makes the same complaints", arguments: verbs)
    func sameErrors(verb: String) throws {
        let command = try #require(Door.direct(verb))
        for wrong in [["--no-such-option"], []] {
            let direct = complaint { _ = try command.parseAsRoot(wrong) }
            let tree = complaint { _ = try Quell.parseAsRoot([verb] + wrong) }
            #expect(direct == tree)
            #expect(direct != "")
        }
    }

    @Test("every verb that stops an agent goes straight to its parser")
    func directVerbs() {
        var direct: [String] = []
        for subcommand in Quell.configuration.subcommands {
            let name = subcommand._commandName
            guard let command = Door.direct(name) else { continue }
            #expect(command._commandName == name)
            direct.append(name)
        }
        #expect(direct.sorted() == DoorTests.verbs)
    }

    @Test(
        "a plain freeze means the same without the parser",
        arguments: [
            "cgroup:/a7", "4711", "name", "cgroup:/a7 pid:1", "--json cgroup:/a7", "cgroup:/a7 --json --quiet",
            "a --no-cut", "a --reason why", "--reason why --case lemon-a5hc --store /tmp/s a b", "a --reason why=not",
            "--store x --json c --quiet", "a --store ./here --no-cut",
        ]
    )
    func plainFreeze(line: String) throws {
        let words = line.split(separator: " ").map(String.init)
        let order = try #require(FreezeOrder(plain: words))
        #expect(try order == Freeze.parse(words).order)
    }

    @Test(
        "a freeze that is not plain is left to the parser",
        arguments: [
            "", "--json", "--help", "a --help", "-h", "a -q", "a --json --json", "a --reason", "a --reason --json",
            "a --hold", "a --plan", "a --json=yes", "a --reason=why", "-- a", "a --", "a --include 5",
            "a --broad why", "a --with peers", "a --jsn", "a --version", "a --as name", "a --reason -x", "a -",
            "a --reason x --reason y",
        ]
    )
    func notPlain(line: String) {
        #expect(FreezeOrder(plain: line.split(separator: " ").map(String.init)) == nil)
        #expect(FreezeOrder(plain: ["a", "--reason", ""]) == nil)
        #expect(FreezeOrder(plain: ["a", ""]) == nil)
    }

    private func complaint(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch {
            // The text before the usage: the error itself.
            return String(Quell.fullMessage(for: error).prefix { $0 != "\n" })
        }
    }
}
