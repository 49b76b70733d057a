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
            try bundle.walk(root: root) { (entry, _) throws(Failure) in telling.result("\(entry.path)") }
            return bundle.outcome
        }
        for file in bundle.payload { telling.result("\(file.digest)  \(file.size)  \(file.name)") }
        if !bundle.roots.isEmpty { telling.say("roots  \(bundle.roots.joined(separator: ", "))") }
        return bundle.outcome
    }
}
