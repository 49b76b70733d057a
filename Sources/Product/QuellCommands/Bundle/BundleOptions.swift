internal import ArgumentParser
import Base
import Bundles
import Casework
import Documents
import Playbooks
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

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Who may seal (role sealer) and countersign (default: trust.yaml of /etc/quell or the store).",
            valueName: "file"
        )
    )
    var trust: String?
    @Option(
        name: .long,
        help: ArgumentHelp("Trust timestamps under this CA (PEM); may be given again.", valueName: "file")
    )
    var tsaCA: [String] = []

    /// Verifies the bundle, or `another` one, before anything is done with it.
    ///
    /// - Throws: `notVerified` with the first thing that is wrong.
    func verified(_ another: String? = nil, in environment: Environment) throws(Failure) -> VerifiedBundle {
        switch try judged(another, in: environment) {
        case .consistent(let bundle): return bundle
        case .wrong(let finding): throw finding.failure
        }
    }

    /// Verifies the bundle, or another one, with everything that was said about whom to trust.
    ///
    /// - Throws: why it cannot be read.
    func judged(_ other: String? = nil, in environment: Environment) throws(Failure) -> Verification {
        try BundleJudge.judge(environment.absolute(BytePath(other ?? bundle)), try policy(in: environment))
    }

    /// Everything that was said about whom to trust.
    ///
    /// - Throws: why a file with it cannot be read.
    func policy(in environment: Environment) throws(Failure) -> VerificationPolicy {
        VerificationPolicy(
            trusting: try trusted(in: environment),
            fingerprint: try GivenDigest.read(fingerprint, to: "read the fingerprint"),
            trust: try trustList(environment),
            timeAuthorities: try authorities(environment),
            now: environment.now()
        )
    }

    /// Why a trust file that is there could not be read by who verifies: then it cannot speak against a key. `nil` when none
    /// is, or it was read.
    func unreadTrust(in environment: Environment) -> Failure? {
        do throws(Failure) {
            if trust == nil { _ = try standingTrust(environment) }
            return nil
        } catch {
            return error
        }
    }

    private func standingTrust(_ environment: Environment) throws(Failure) -> TrustList {
        try AuthorityFiles(folders: [BytePath("/etc/quell"), environment.storeDirectory(common.store)]).trust()
    }

    private func trustList(_ environment: Environment) throws(Failure) -> TrustList {
        if let trust {
            let path = environment.absolute(BytePath(trust))
            return try TrustDocument.parse(try TrustedFile.readExplicit(path, to: "read the trust file"), named: path)
        }
        do throws(Failure) {
            return try standingTrust(environment)
        } catch {
            // Who may not read it verifies all the same; `verify` tells of it.
            guard error.code == .notPermitted else { throw error }
            return .empty
        }
    }

    private func authorities(_ environment: Environment) throws(Failure) -> [TimeAuthority] {
        var result: [TimeAuthority] = []
        for file in tsaCA {
            let path = environment.absolute(BytePath(file))
            let bytes = try TrustedFile.readExplicit(path, to: "read the certificate")
            result.append(try TimeAuthority(pem: String(decoding: bytes, as: UTF8.self)))
        }
        return result
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
}

extension VerifiedBundle {
    /// Who stands behind the seal, in words.
    var signerWords: String {
        switch signer {
        case .trusted(let fingerprint): "signed by \(signerName.map { "\($0), " } ?? "")the trusted key \(fingerprint)"
        case .unknown(let fingerprint):
            "signed by a key that is not trusted here: \(fingerprint)\(doubt.map { " (\($0))" } ?? "")"
        case .unsigned: "not signed"
        }
    }
}
