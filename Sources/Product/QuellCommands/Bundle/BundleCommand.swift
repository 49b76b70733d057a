internal import ArgumentParser

/// `quell bundle`: evidence, offline, without a case and without root.
struct BundleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bundle",
        abstract: "Evidence bundles: verify, list, print, pack. Offline, no case, no root.",
        subcommands: [BundleVerify.self, BundleList.self, BundleCat.self, BundlePack.self]
    )
}
