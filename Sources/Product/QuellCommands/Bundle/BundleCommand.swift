internal import ArgumentParser

/// `quell bundle`: evidence, offline, without a case and without root.
struct BundleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bundle",
        abstract: "Evidence bundles: verify, show, extract, compare, sign, pack, encrypt. Offline, no case, no root.",
        subcommands: [
            BundleVerify.self, BundleShow.self, BundleList.self, BundleCat.self, BundleExtract.self, BundleDiff.self,
            BundleSign.self, BundleTimestamp.self, BundleCountersign.self, BundleCustody.self, BundlePack.self,
            BundleEncrypt.self, BundleDecrypt.self, BundleImport.self,
        ]
    )
}
