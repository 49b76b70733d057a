internal import ArgumentParser

/// `quell case`: cases and their journals.
struct CaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "case",
        abstract: "Cases and their journals.",
        subcommands: [CaseList.self, CaseShow.self, CaseJournal.self, CaseNote.self, CaseClose.self]
    )
}
