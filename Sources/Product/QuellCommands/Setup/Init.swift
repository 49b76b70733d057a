internal import ArgumentParser
import Base
import Casework
import Sealing

/// `quell init`: makes the store and its signing key.
struct Init: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make the store and its signing key.",
        discussion: """
            Prints the fingerprint of the key. Write it where the responders find it and the host's users cannot change \
            it: a stranger who verifies a bundle compares it with what you told them. Freeze works without init; sealed \
            bundles are signed only after it. Calling it again changes nothing.
            """
    )

    @OptionGroup var common: CommonOptions

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let root = environment.storeDirectory(common.store)
        let key = try CaseStore.initialise(at: root)
        try CaseStore(at: root, host: try HostIdentity.read(), key: key).fillReserve()
        let publicKey = root.appending("keys/signing.pub.pem")
        if common.json {
            telling.document([
                "store": .string("\(root)"), "publicKey": .string("\(publicKey)"),
                "fingerprint": .string(key.verifyingKey.fingerprint.hex),
            ])
            return .done
        }
        telling.result("store        \(root)")
        telling.result("public key   \(publicKey)")
        telling.result("fingerprint  \(key.verifyingKey.fingerprint.hex)")
        return .done
    }
}
