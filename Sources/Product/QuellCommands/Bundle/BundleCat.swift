internal import ArgumentParser
import Base
import Bundles
import Evidence
import Glibc

/// `quell bundle cat`.
struct BundleCat: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat",
        abstract: "Print one file of a bundle, after verifying it.",
        discussion: """
            FILE is a payload file such as data/processes.jsonl, with --root a path within an archived root, or with \
            --imported a member of what was imported, by its name in data/imported.jsonl. The bytes come as they are: send \
            hostile ones to a file, not to a terminal.
            """
    )

    @OptionGroup var options: BundleOptions
    @Argument(help: ArgumentHelp("Which file.", valueName: "file")) var file: String
    @Option(name: .long, help: ArgumentHelp("An archived root.", valueName: "name")) var root: String?
    @Flag(name: .long, help: "A member of what was imported.") var imported = false
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        guard !common.json else {
            throw Failure(
                .usage,
                "print the file",
                on: "--json",
                because: "its bytes come as they are",
                hint: "quell bundle list BUNDLE --json"
            )
        }
        let bundle = try options.verified(in: environment)
        if let root {
            _ = try bundle.extract(BytePath(file), of: root, to: 1)
        } else if imported {
            try record(of: bundle).read(BytePath(file), of: bundle) { (bytes) throws(Failure) in
                telling.output.bytes(Array(bytes))
            }
        } else {
            try bundle.read(try BundleFileName.read(file)) { (bytes) throws(Failure) in
                telling.output.bytes(Array(bytes))
            }
        }
        BundleAccess.record("cat \(file)", of: bundle, options, in: environment, telling)
        return bundle.outcome
    }

    private func record(of bundle: VerifiedBundle) throws(Failure) -> ImportRecord {
        if let record = try ImportRecord(of: bundle) { return record }
        throw Failure(.usage, "print the member", on: "--imported", because: "Quell collected this bundle itself")
    }
}
