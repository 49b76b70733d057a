internal import ArgumentParser
import Base
import Bundles
import Casework
import Response
import Sealing

/// The options of every verb on a bundle.
struct BundleOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("A bundle's directory or .quell.tar file.", valueName: "bundle")) var bundle: String
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Trust this public key (PEM); may be given again. The store's own is trusted.",
            valueName: "file"
        )
    )
    var key: [String] = []
    @Option(
        name: .long,
        help: ArgumentHelp("The fingerprint of the signer, from the ticket or the phone.", valueName: "digest")
    )
    var fingerprint: String?

    /// Verifies the bundle, or `another` one, before anything is done with it.
    ///
    /// - Throws: `notVerified` with the first thing that is wrong.
    func verified(_ another: String? = nil, in environment: Environment) throws(Failure) -> VerifiedBundle {
        return try BundleJudge.verify(
            environment.absolute(BytePath(another ?? bundle)),
            trusting: try trusted(in: environment),
            fingerprint: try expectedFingerprint()
        )
    }

    /// The keys that were named, else the store's own.
    ///
    /// - Throws: `malformed` when one is no key.
    func trusted(in environment: Environment) throws(Failure) -> [VerifyingKey] {
        if key.isEmpty { return try environment.ownKeys(common.store) }
        var keys: [VerifyingKey] = []
        for path in key { keys.append(try VerifyingKey(loading: environment.absolute(BytePath(path)))) }
        return keys
    }

    private func expectedFingerprint() throws(Failure) -> Digest? {
        guard let fingerprint else { return nil }
        guard let digest = Digest(hex: fingerprint) else {
            throw Failure(.usage, "read the fingerprint", on: fingerprint, because: "not 64 lower-case hex digits")
        }
        return digest
    }
}

extension VerifiedBundle {
    /// Who stands behind the seal, in words.
    var signerWords: String {
        switch signer {
        case .trusted(let fingerprint): "signed by the trusted key \(fingerprint)"
        case .unknown(let fingerprint): "signed by a key that is not trusted here: \(fingerprint)"
        case .unsigned: "not signed"
        }
    }
}
