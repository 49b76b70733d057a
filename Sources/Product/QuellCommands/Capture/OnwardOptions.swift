internal import ArgumentParser
import Base
import Bundles
import Response
import Sealing

/// Whom a capture is for and where it goes besides the case.
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
            "Also send the sealed bundle, packed: a file, a directory, - or sftp:USER@HOST:/path.",
            valueName: "place"
        )
    )
    var to: String?
    @OptionGroup var route: SSHOptions

    /// Whether the bundle itself goes to standard output, so that nothing else may.
    var takesOutput: Bool { to == "-" }

    /// Reads what was named, before anything is captured.
    ///
    /// - Throws: `usage` for a destination that is none; why a certificate cannot be used.
    func recipients(asJSON: Bool, in environment: Environment) throws(Failure) -> [Recipient] {
        if takesOutput, asJSON {
            let reason = "the bundle's bytes go to standard output as they are"
            throw Failure(.usage, "capture", on: "--json", because: reason)
        }
        if let to { _ = try destination(to, "bundle", in: environment) }
        return try RecipientFiles.named(recipient, in: environment)
    }

    /// Sends what was sealed. That it did not get there is told; the capture stands in the case all the same.
    ///
    /// - Returns: where it went, and why it did not.
    func send(
        _ output: CaptureAction.Output,
        trustingStore store: String?,
        in environment: Environment,
        _ telling: Teller
    ) throws(Failure) -> (place: String?, failure: Failure?) {
        guard let to else { return (nil, nil) }
        let place = try destination(to, output.bundle.lastComponent.description, in: environment)
        do throws(Failure) {
            let bundle = try BundleJudge.verify(output.bundle, trusting: try environment.ownKeys(store))
            _ = try BundleSender(try route.route(in: environment)).send(bundle, to: place)
            return (place.words, nil)
        } catch {
            telling.warnAbout(error.hinting("quell bundle pack \(ShellWord.quoted("\(output.bundle)")) DESTINATION"))
            return (place.words, error)
        }
    }

    private func destination(
        _ to: String,
        _ name: String,
        in environment: Environment
    ) throws(Failure) -> BundleDestination {
        try BundleDestination(to, for: name) { environment.absolute($0) }
    }
}
