internal import ArgumentParser
import Base
import Bundles
import Credentials
import Glibc
import Response
import Sealing

/// `quell bundle decrypt`.
struct BundleDecrypt: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "decrypt",
        abstract: "Open an encrypted bundle, or the memory and secrets in a bundle.",
        discussion: """
            BUNDLE is a file of `quell bundle encrypt`: --to is then the new NAME.quell.tar, which is verified at the end. Or \
            it is a bundle with encrypted memory: it is verified first, and --to is a new or empty directory. What is \
            opened has its name only when all of it is authentic.
            """
    )

    @OptionGroup var options: BundleOptions
    @Option(name: .long, help: ArgumentHelp("The new file, or a directory.", valueName: "path")) var to: String
    @Option(name: .long, help: ArgumentHelp("The recipient's certificate (PEM).", valueName: "cert")) var cert: String?
    @Option(name: .long, help: ArgumentHelp("The recipient's private key (PEM, mode 0600).", valueName: "file"))
    var privateKey: String?
    @Option(name: .long, help: ArgumentHelp("The passphrase, in this file.", valueName: "file"))
    var passphraseFile: String?
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let opener = try opener(in: environment)
        let path = environment.absolute(BytePath(options.bundle))
        if EncryptedBundle.seems(path) { return try openWhole(path, with: opener, in: environment, telling) }
        let bundle = try options.verified(in: environment)
        let streams = try bundle.secretStreams()
        guard !streams.isEmpty else {
            throw Failure(.notFound, "open the secrets", on: options.bundle, because: "nothing in it is encrypted")
        }
        BundleAccess.record("decrypt", of: bundle, options, in: environment, telling)
        let target = try ExtractionTarget(at: environment.absolute(BytePath(to)))
        var opened: [JSONValue] = []
        for stream in streams {
            // secrets/memory/7-99.core.zst becomes memory-7-99.core: the names are Quell's own.
            let parts = stream.split(separator: "/").dropFirst()
            let name = parts.joined(separator: "-")
            let plain = name.hasSuffix(".zst") ? String(name.dropLast(4)) : name
            let place = target.path.appending(plain)
            let size = try bundle.decrypt(stream, with: opener, to: place)
            if common.json {
                opened.append([
                    "stream": .string(stream), "file": .string("\(place)"), "bytes": .integer(Int64(clamping: size)),
                ])
            } else {
                telling.result("\(place)  \(Words.bytes(size))")
            }
        }
        if common.json { telling.document(["opened": .array(opened)]) }
        return bundle.outcome
    }

    private func openWhole(
        _ path: BytePath,
        with opener: Opener,
        in environment: Environment,
        _ telling: Teller
    ) throws(Failure) -> Outcome {
        let encrypted = try EncryptedBundle(at: path)
        let destination = environment.absolute(BytePath(to))
        try encrypted.decrypt(with: opener, to: destination)
        let bundle: VerifiedBundle
        do throws(Failure) {
            bundle = try options.verified(to, in: environment)
        } catch {
            // It was ours and new a moment ago: what was not verified is not left lying in plain, whatever the reason.
            _ = destination.withCString { unlink($0) }
            throw error
        }
        if common.json {
            telling.document([
                "file": .string("\(destination)"), "bytes": .integer(Int64(clamping: encrypted.plainSize)),
                "root": .string(bundle.root.hex), "signer": .string(bundle.signerWords),
            ])
        } else {
            telling.result("\(destination)  \(Words.bytes(encrypted.plainSize))  root \(bundle.root)")
            telling.say("intact, \(bundle.signerWords)")
        }
        return bundle.outcome
    }

    private func opener(in environment: Environment) throws(Failure) -> Opener {
        if let passphraseFile {
            return Opener(passphrase: try SecretFile.readProbe(environment.absolute(BytePath(passphraseFile))))
        }
        guard let cert, let privateKey, let recipient = try RecipientFiles.named([cert], in: environment).first else {
            throw Failure(
                .usage,
                "open it",
                on: options.bundle,
                because: "nothing to open it with",
                hint: "give --cert CERT.pem --private-key KEY.pem, or --passphrase-file FILE"
            )
        }
        return try Opener(recipient, keyFile: environment.absolute(BytePath(privateKey)))
    }
}
