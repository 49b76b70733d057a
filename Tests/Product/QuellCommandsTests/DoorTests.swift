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
