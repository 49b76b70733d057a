internal import ArgumentParser
import Base
import Bundles
import Credentials
import Sealing

/// `quell bundle encrypt`.
struct BundleEncrypt: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "encrypt",
        abstract: "Pack a verified bundle and encrypt it for people who are named.",
        discussion: """
            A plain tar of CMS volumes, each of which stock openssl opens; OPEN.txt in it tells how. Without --recipient the \
            certificates in recipients/ of the store. Nothing is on disk in plain meanwhile, and FILE has its name only \
            when it is whole.
            """
    )

    @OptionGroup var options: BundleOptions
    @Option(name: .long, help: ArgumentHelp("The new file (default: NAME.quell.cms.tar here).", valueName: "file"))
    var to: String?
    @Option(
        name: .long,
        help: ArgumentHelp("Who may open it: a certificate in PEM, RSA or EC; may be given again.", valueName: "cert")
    )
    var recipient: [String] = []
    @Option(
        name: .long,
        help: ArgumentHelp("Encrypt with the passphrase in this file instead (AES-256-CBC).", valueName: "file")
    )
    var passphraseFile: String?
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let audience = try audience(in: environment)
        let bundle = try options.verified(in: environment)
        let path = environment.absolute(BytePath(to ?? "\(bundle.statement.name).quell.cms.tar"))
        var volumeSize = 16 << 20
        if case .passphrase = audience { volumeSize = 64 << 20 }
        let written = try BundlePacker.encrypt(bundle, for: audience, volumeSize: volumeSize, to: path)
        if common.json {
            telling.document([
                "file": .string("\(path)"), "bytes": .integer(Int64(clamping: written.bytes)),
                "volumes": .integer(Int64(written.volumes)), "root": .string(bundle.root.hex),
                "audience": .array(audience.words.map(JSONValue.string)),
            ])
        } else {
            telling.result("\(path)  \(Words.bytes(written.bytes))  \(written.volumes) volumes  root \(bundle.root)")
            if case .recipients(let recipients) = audience {
                for recipient in recipients {
                    telling.say("for  \(recipient.fingerprint)  \(Escaped.terminal(recipient.subject))")
                }
            } else {
                telling.say("for  whoever knows the passphrase")
            }
        }
        return bundle.outcome
    }

    private func audience(in environment: Environment) throws(Failure) -> Audience {
        if let passphraseFile {
            guard recipient.isEmpty else {
                throw Failure(
                    .usage,
                    "encrypt",
                    on: "--passphrase-file",
                    because: "there are recipients too: choose one"
                )
            }
            return .passphrase(try SecretFile.readProbe(environment.absolute(BytePath(passphraseFile))))
        }
        var recipients = try RecipientFiles.named(recipient, in: environment)
        if recipients.isEmpty {
            recipients = try RecipientFiles.standing(in: environment.storeDirectory(common.store))
        }
        guard !recipients.isEmpty else {
            throw Failure(
                .usage,
                "encrypt",
                on: options.bundle,
                because: "nobody is named who may open it",
                hint: "give --recipient CERT.pem, or put certificates into recipients/ of the store"
            )
        }
        return .recipients(recipients)
    }
}
