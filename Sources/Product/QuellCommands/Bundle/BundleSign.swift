internal import ArgumentParser
import Base
import Bundles
import Sealing

/// `quell bundle sign`.
struct BundleSign: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Sign a bundle that was sealed without a key.",
        discussion: """
            A host without a key seals unsigned. Here, where the key is, everything in the bundle is verified and the same \
            statement is signed: its root stays. The key is Ed25519, in a file or in ssh-agent. Compare the root with \
            what the host printed before you sign: what somebody changed on the way would be signed as well.
            """
    )

    @OptionGroup var options: BundleOptions
    @OptionGroup var signing: SignerOptions
    @Option(
        name: .long,
        help: ArgumentHelp("Write the public key (PEM) to this new file, for who verifies.", valueName: "file")
    )
    var publicKey: String?
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let later = try LaterSeal(try options.verified(in: environment))
        let key = try later.sign(with: try signing.signer(in: environment))
        if let publicKey { try key.save(to: environment.absolute(BytePath(publicKey))) }
        if common.json {
            telling.document(["fingerprint": .string(key.fingerprint.hex)])
        } else {
            telling.result("signed by the key \(key.fingerprint)")
        }
        return .done
    }
}
