internal import ArgumentParser
import Base
import Bundles
import Casework
import Documents
import Sealing

/// `quell bundle countersign`.
struct BundleCountersign: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "countersign",
        abstract: "Say in your own name that you stand behind a bundle.",
        discussion: """
            What is signed is a text with the bundle's name, case and root, who you are, in which role, why and when; the \
            signature is one that `ssh-keygen -Y verify -n quell-countersignature` checks. Without Quell where the key \
            is: --show prints the text, `ssh-keygen -Y sign -n quell-countersignature -f KEY FILE` signs it, and \
            --statement FILE --signature FILE.sig hands both in.
            """
    )

    @OptionGroup var options: BundleOptions
    @Option(
        name: .long,
        help: ArgumentHelp("A key file (Ed25519, PKCS#8 PEM), or agent, or agent:FINGERPRINT.", valueName: "key")
    )
    var with: String?
    @Option(
        name: .long,
        help: ArgumentHelp("Read the passphrase of the key file from this descriptor.", valueName: "number")
    )
    var passphraseFd: Int32?
    @Option(name: .long, help: ArgumentHelp("In which role, such as lead.", valueName: "role")) var role: String?
    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("Who, by the name in the trust file (default: the login name).", valueName: "name")
    )
    var name: String?
    @Option(name: .long, help: ArgumentHelp("Why.", valueName: "text")) var reason: String?
    @Flag(name: .long, help: "Print the text to sign, exactly, and stop.") var show = false
    @Option(name: .long, help: ArgumentHelp("The text that was signed elsewhere.", valueName: "file"))
    var statement: String?
    @Option(name: .long, help: ArgumentHelp("Its signature.", valueName: "file")) var signature: String?
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bundle = try options.verified(in: environment)
        if let statement, let signature {
            let text = try read(statement, environment, limit: 16 << 10, "read the statement")
            let signed = try SSHSignature(
                parsing: try read(signature, environment, limit: SSHSignature.sizeLimit, "read the signature")
            )
            return try add(try CountersignatureStatement(parsing: text), signed, to: bundle, telling)
        }
        let said = try CountersignatureStatement(
            about: bundle,
            by: name ?? environment.responder(nil).name,
            as: try required(role, "--role"),
            because: reason,
            at: environment.now()
        )
        let text = try said.bytes()
        if show {
            if common.json {
                telling.document(["statement": .string(String(decoding: text, as: UTF8.self))])
            } else {
                telling.output.bytes(text)
            }
            return .done
        }
        var signing = SignerOptions()
        signing.with = try required(with, "--with")
        signing.passphraseFd = passphraseFd
        let signed = try SSHSignature.sign(text, as: .countersignature, with: try signing.signer(in: environment))
        return try add(said, signed, to: bundle, telling)
    }

    private func add(
        _ said: CountersignatureStatement,
        _ signature: SSHSignature,
        to bundle: VerifiedBundle,
        _ telling: Teller
    ) throws(Failure) -> Outcome {
        let key = try LaterSeal(bundle).countersign(said, with: signature)
        if common.json {
            telling.document([
                "by": .string(said.by), "role": .string(said.role), "key": .string(key.fingerprint),
                "root": .string(said.root.hex),
            ])
        } else {
            telling.result("countersigned by \(said.by) as \(said.role), key \(key.fingerprint)")
        }
        return .done
    }

    private func required(_ value: String?, _ option: String) throws(Failure) -> String {
        if let value { return value }
        throw Failure(
            .usage,
            "countersign the bundle",
            on: option,
            because: "it is needed, or --statement and --signature"
        )
    }

    private func read(_ file: String, _ environment: Environment, limit: Int, _ attempt: String) throws(Failure)
        -> [UInt8]
    {
        try TrustedFile.readExplicit(environment.absolute(BytePath(file)), limit: limit, to: attempt)
    }
}
