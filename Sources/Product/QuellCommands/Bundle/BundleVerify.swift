internal import ArgumentParser
import Base
import Bundles
import Response

/// `quell bundle verify`.
struct BundleVerify: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check everything in a bundle and name the first thing that is wrong.",
        discussion: """
            Exit 0: intact and signed by a trusted key. 3: intact, signer unknown. 4: the first thing that is wrong is \
            named. The fingerprint of the signer comes from outside the bundle: from the ticket, the case or the phone.
            """
    )

    @OptionGroup var options: BundleOptions
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bundle = try options.verified(in: environment)
        let statement = bundle.statement
        let custody = try CustodyChain.read(
            beside: environment.absolute(BytePath(options.bundle)),
            of: bundle,
            trusting: try options.trusted(in: environment)
        )
        if common.json {
            telling.document([
                "root": .string(bundle.root.hex),
                "signer": .string(bundle.signerWords), "untrustedStatement": try JSONEncoding.value(of: statement),
                "files": .integer(Int64(bundle.payload.count)), "exit": .integer(Int64(bundle.outcome.rawValue)),
                "untrustedHolder": custody?.holder.map(JSONValue.string) ?? .null,
                "custodyHead": custody?.head.map { .string($0.hex) } ?? .null,
            ])
            return bundle.outcome
        }
        let word = bundle.outcome == .done ? telling.terminal.good("intact") : telling.terminal.bad("intact")
        telling.result("\(word), \(bundle.signerWords)")
        telling.result("root     \(bundle.root)")
        telling.result("case     \(Escaped.terminal(statement.caseID)), seal \(statement.number)")
        telling.result("kind     \(statement.purpose.rawValue)")
        telling.result("sealed   \(statement.sealed) on \(Escaped.terminal(statement.host))")
        let counts = statement.counts
        telling.result(
            "items    \(counts.planned): \(counts.collected) collected, \(counts.partial) partial, "
                + "\(counts.skipped) skipped, \(counts.failed) failed"
        )
        telling.result("authority \(Escaped.terminal(statement.authority ?? "absent"))")
        if let custody, let head = custody.head {
            let records = Words.count(custody.entries.count, "record", "records")
            telling.result("custody  \(records), held by \(Escaped.terminal(custody.holder ?? "nobody")), head \(head)")
        }
        if bundle.outcome != .done {
            telling.say(
                "hint: compare the fingerprint with the one that `quell init` printed on the host, then give --key"
            )
        }
        return bundle.outcome
    }
}
