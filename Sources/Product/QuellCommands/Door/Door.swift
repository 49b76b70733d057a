internal import ArgumentParser
import Base

/// Where a command line enters. `main` is synchronous, and the verbs that stop an agent go straight to their own parser:
/// building the parser of the whole command tree costs more than a millisecond, and they must act within milliseconds of
/// Enter (DESIGN section 3). Help and errors are the same through both doors; a test holds that. A freeze with plain words
/// needs no parser at all.
public enum Door {
    /// The commands that do not wait for the tree. A process called quell that has the right to it has the highest priority
    /// when it gets here (`raise_containing_verbs` in CLinux).
    static func direct(_ verb: String) -> (any ParsableCommand.Type)? {
        switch verb {
        case "freeze": Freeze.self
        case "thaw": Thaw.self
        case "kill": Kill.self
        case "isolate": Isolate.self
        case "release": Release.self
        case "hold-restart": HoldRestart.self
        default: nil
        }
    }

    /// Runs the command line of this process and ends the process.
    public static func main() -> Never {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments == ["--version"] {
            Sink(descriptor: 1).line(Version.text)
            Quell.exit()
        }
        ignoreHangUp()
        if arguments.first == "freeze", let order = FreezeOrder(plain: Array(arguments.dropFirst())) {
            leave(with: order.outcome(in: Environment.live()))
        }
        if let verb = arguments.first, let command = direct(verb) {
            run(command, Array(arguments.dropFirst()))
        }
        run(Quell.self, arguments)
    }

    private static func run(_ command: any ParsableCommand.Type, _ arguments: [String]) -> Never {
        do {
            var parsed = try command.parseAsRoot(arguments)
            try parsed.run()
            command.exit()
        } catch {
            guard let meant = CommandWords.meant(by: arguments, in: command) else { command.exit(withError: error) }
            let errors = Sink(descriptor: 2)
            errors.line(command.fullMessage(for: error))
            errors.line("hint: \(meant)")
            Quell.exit(withError: ExitCode(Outcome.usage.rawValue))
        }
    }
}
