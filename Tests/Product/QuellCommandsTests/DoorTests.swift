import ArgumentParser
import Base
import Testing

@testable import QuellCommands

@Suite("the door")
struct DoorTests {
    @Test(
        "a verb that goes straight to its parser gives the same help as through the tree",
        arguments: Door.direct.keys.sorted()
    )
    func sameHelp(verb: String) throws {
        let command = try #require(Door.direct[verb])
        #expect(command.helpMessage(columns: 100) == Quell.helpMessage(for: command, columns: 100))
    }

    @Test("a verb that goes straight to its parser makes the same complaints", arguments: Door.direct.keys.sorted())
    func sameErrors(verb: String) throws {
        let command = try #require(Door.direct[verb])
        for wrong in [["--no-such-option"], []] {
            let direct = complaint { _ = try command.parseAsRoot(wrong) }
            let tree = complaint { _ = try Quell.parseAsRoot([verb] + wrong) }
            #expect(direct == tree)
            #expect(direct != "")
        }
    }

    @Test("every verb that stops an agent goes straight to its parser")
    func directVerbs() {
        #expect(Door.direct.keys.sorted() == ["freeze", "hold-restart", "isolate", "kill", "release", "thaw"])
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
