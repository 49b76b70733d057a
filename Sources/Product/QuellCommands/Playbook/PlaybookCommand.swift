internal import ArgumentParser

/// `quell playbook`.
struct PlaybookCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "playbook",
        abstract: "Playbooks: list, check.",
        subcommands: [PlaybookList.self, PlaybookLint.self]
    )
}
