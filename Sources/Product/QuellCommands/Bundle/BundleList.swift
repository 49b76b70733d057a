internal import ArgumentParser
import Base
import Bundles

/// `quell bundle list`.
struct BundleList: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List what is in a bundle, after verifying it.",
        discussion: "With --root the entries of an archived root instead, such as workspace or transcripts."
    )

    @OptionGroup var options: BundleOptions
    @Option(name: .long, help: ArgumentHelp("An archived root.", valueName: "name")) var root: String?
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bundle = try options.verified(in: environment)
        if let root {
            try list(root, of: bundle, telling)
            return bundle.outcome
        }
        if common.json {
            telling.document([
                "untrustedFiles": .array(
                    bundle.payload.map { file in
                        [
                            "name": .string(file.name.text), "bytes": .integer(Int64(clamping: file.size)),
                            "sha256": .string(file.digest.hex),
                        ]
                    }
                ), "untrustedRoots": .array(bundle.roots.map { .string($0) }),
            ])
            return bundle.outcome
        }
        for file in bundle.payload { telling.result("\(file.digest)  \(file.size)  \(file.name)") }
        if !bundle.roots.isEmpty { telling.say("roots  \(bundle.roots.joined(separator: ", "))") }
        return bundle.outcome
    }
    /// The root itself is an entry without a path; it is listed as `.`.
    private func list(_ root: String, of bundle: VerifiedBundle, _ telling: Teller) throws(Failure) {
        guard common.json else {
            return try bundle.walk(root: root) { (entry, _) throws(Failure) in
                telling.result(entry.path.isEmpty ? "." : "\(entry.path)")
            }
        }
        try telling.document(listing: "untrustedEntries") { (tell: (String) -> Void) throws(Failure) in
            try bundle.walk(root: root) { (entry, _) throws(Failure) in
                let path: JSONValue = entry.path.isEmpty ? "." : .string("\(entry.path)")
                tell(CanonicalJSON.text(of: path))
            }
        }
    }
}
