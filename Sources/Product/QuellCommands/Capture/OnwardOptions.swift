internal import ArgumentParser
import Base
import Glibc
import Response
import Sealing

/// Whom a capture is for and where it goes instead of the case.
struct OnwardOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Who alone may open memory and secrets: a certificate in PEM (default: recipients/ of the store).",
            valueName: "cert"
        )
    )
    var recipient: [String] = []
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Write the bundle there, not into the case: a directory, a new FILE.quell.tar, -, sftp:USER@HOST:/path.",
            valueName: "place"
        )
    )
    var to: String?
    @OptionGroup var route: SSHOptions

    /// Whether the bundle itself goes to standard output, so that nothing else may.
    var takesOutput: Bool { to == "-" }

    /// Reads whom it is for, before anything is captured.
    ///
    /// - Throws: `usage` when results would stand among the bundle's bytes; why a certificate cannot be used.
    func recipients(asJSON: Bool, in environment: Environment) throws(Failure) -> [Recipient] {
        if takesOutput, asJSON {
            let reason = "the bundle's bytes go to standard output as they are"
            throw Failure(.usage, "capture", on: "--json", because: reason)
        }
        return try RecipientFiles.named(recipient, in: environment)
    }

    /// Reads where it goes; `nil`: into the case.
    ///
    /// - Throws: `usage` for a destination that is none, and for a terminal.
    func destination(in environment: Environment) throws(Failure) -> CaptureDestination? {
        guard let to else { return nil }
        if takesOutput, isatty(1) == 1 {
            let reason = "standard output is a terminal, which can keep no bundle"
            throw Failure(.usage, "capture", on: to, because: reason, hint: "send it on: quell capture --to - | ...")
        }
        return try CaptureDestination(to, by: try route.route(in: environment)) { environment.absolute($0) }
    }
}
