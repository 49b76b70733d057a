internal import ArgumentParser

/// The options that every command has.
struct CommonOptions: ParsableArguments {
    @Flag(name: .long, help: "Print one JSON document on standard output.")
    var json = false

    @Flag(name: .shortAndLong, help: "Say only errors and results.")
    var quiet = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where cases and keys live (default: $QUELL_STORE, else /var/lib/quell for root).",
            valueName: "dir"
        )
    )
    var store: String?
}

/// The options of commands that act.
struct EffectOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("The case to act in (default: the open one with the same pins).", valueName: "id")
    )
    var `case`: String?

    @Option(name: .long, help: ArgumentHelp("Why; recorded in the journal.", valueName: "text"))
    var reason: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Go on without a capture that counts; recorded as a waiver.", valueName: "reason")
    )
    var waive: String?

    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("Who acts (default: the login name behind sudo).", valueName: "name")
    )
    var actor: String?
}
