internal import ArgumentParser
import Base
import Bundles
import Casework
import Evidence
import Response

/// `quell bundle verify`.
struct BundleVerify: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check everything in a bundle and name the first thing that is wrong.",
        discussion: """
            Exit 0: intact, and everybody who stands behind it is trusted. 3: intact, but the signer, a countersigner or \
            the authority of the timestamp is not known here, or the timestamp is still pending. 4: the first thing that is \
            wrong is named. The fingerprint of the signer comes from outside the bundle: from the ticket, the case or the \
            phone. With more bundles, and against a case of that name in the store: two seals of one case, session and \
            number with different content are a conflict (exit 4).
            """
    )

    @OptionGroup var options: BundleOptions
    @Argument(help: ArgumentHelp("More bundles, to find conflicts.", valueName: "others")) var others: [String] = []
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        var verification = try options.judged(in: environment)
        if case .consistent(let bundle) = verification, let finding = try conflict(of: bundle, environment, telling) {
            verification = .wrong(finding)
        }
        switch verification {
        case .consistent(let bundle):
            return try tell(bundle, environment, telling)
        case .wrong(let finding):
            guard common.json else { throw finding.failure }
            telling.document(["result": BundleResult(wrong: finding).document, "exit": .integer(4)])
            return .notVerified
        }
    }

    private func tell(
        _ bundle: VerifiedBundle,
        _ environment: Environment,
        _ telling: Teller
    ) throws(Failure) -> Outcome {
        let statement = bundle.statement
        let custody = try CustodyChain.read(
            beside: environment.absolute(BytePath(options.bundle)),
            of: bundle,
            try options.policy(in: environment)
        )
        let outcome = CustodyTelling.outcome(of: bundle, custody)
        if let unread = options.unreadTrust(in: environment) {
            telling.warn("a trust file was not read, and cannot speak against a key: \(unread)")
        }
        let result = BundleResult(of: bundle)
        let imported = try ImportRecord(of: bundle)
        if common.json {
            telling.document([
                "collectedByQuell": .bool(imported == nil),
                "untrustedImport": try imported.map { record throws(Failure) in try JSONEncoding.value(of: record) }
                    ?? .null,
                "root": .string(bundle.root.hex), "result": result.document,
                "signer": .string(bundle.signerWords), "untrustedStatement": try JSONEncoding.value(of: statement),
                "files": .integer(Int64(bundle.payload.count)), "exit": .integer(Int64(outcome.rawValue)),
                "untrustedHolder": custody?.holder.map(JSONValue.string) ?? .null,
                "custodyHead": custody?.head.map { .string($0.hex) } ?? .null,
                "custodyTornBytes": .integer(Int64(custody?.torn ?? 0)),
                "untrustedCustodyDoubts": .array(custody.map(CustodyTelling.doubts)?.map { .string($0) } ?? []),
            ])
            return outcome
        }
        let word = outcome == .done ? telling.terminal.good("intact") : telling.terminal.bad("intact")
        telling.result("\(word), \(bundle.signerWords)")
        telling.result("root     \(bundle.root)")
        telling.result("case     \(Escaped.terminal(statement.caseID)), seal \(statement.number)")
        let note = imported == nil ? "" : ", not collected by Quell"
        telling.result("kind     \(statement.purpose.rawValue)\(note)")
        for line in imported.map({ ImportStory($0).lines }) ?? [] { telling.result(line) }
        telling.result("sealed   \(statement.sealed) on \(Escaped.terminal(statement.host))")
        let counts = statement.counts
        telling.result(
            "items    \(counts.planned): \(counts.collected) collected, \(counts.partial) partial, "
                + "\(counts.skipped) skipped, \(counts.failed) failed"
        )
        telling.result("authority \(Escaped.terminal(statement.authority ?? "absent"))")
        if let custody, let head = custody.head {
            let records = Words.count(custody.entries.count, "record", "records")
            telling.result("custody  \(records), held by \(CustodyTelling.holder(custody, bundle)), head \(head)")
            CustodyTelling.doubts(custody).forEach { telling.result("         \($0)") }
        }
        if let custody { CustodyTelling.warn(custody, telling) }
        for line in result.lines { telling.result(line) }
        if !bundle.signer.isTrusted {
            telling.say(
                "hint: compare the fingerprint with the one that `quell init` printed on the host, then give --key"
            )
        } else if bundle.outcome != .done {
            telling.say("hint: give --trust FILE for countersigners, --tsa-ca FILE for the authority of the timestamp")
        }
        return outcome
    }

    /// A second seal of one case, session and number: among the bundles that were given, or in the case of the store.
    private func conflict(
        of bundle: VerifiedBundle,
        _ environment: Environment,
        _ telling: Teller
    ) throws(Failure) -> VerificationFinding? {
        for other in others {
            switch try options.judged(other, in: environment) {
            case .wrong(let finding):
                throw finding.failure
            case .consistent(let found):
                if let finding = bundle.conflict(with: found) { return finding }
            }
        }
        guard bundle.statement.purpose != .imported, let id = CaseID(bundle.statement.caseID) else { return nil }
        do throws(Failure) {
            return try BundleJudge.conflict(of: bundle, in: try environment.store(common.store).open(id))
        } catch {
            if error.code != .notFound && error.code != .notPermitted {
                telling.say("note: not compared with the case in the store: \(error.description)")
            }
        }
        return nil
    }
}
