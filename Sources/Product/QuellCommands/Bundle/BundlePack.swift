internal import ArgumentParser
import Base
import Bundles

/// `quell bundle pack`.
struct BundlePack: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack",
        abstract: "Pack a verified bundle into one plain tar file.",
        discussion: "The same bundle always gives the same bytes. An existing file is never overwritten."
    )

    @OptionGroup var options: BundleOptions
    @Argument(help: ArgumentHelp("The new file (default: NAME.quell.tar here).", valueName: "file")) var destination:
        String?
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bundle = try options.verified(in: environment)
        let name = destination ?? "\(bundle.statement.name).quell.tar"
        let path = environment.absolute(BytePath(name))
        let size = try BundlePacker.pack(bundle, to: path)
        if common.json {
            telling.document([
                "file": .string("\(path)"),
                "bytes": .integer(Int64(clamping: size)),
                "root": .string(bundle.root.hex),
            ])
        } else {
            telling.result("\(path)  \(Words.bytes(size))  root \(bundle.root)")
        }
        return bundle.outcome
    }
}
