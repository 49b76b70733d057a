internal import ArgumentParser
import Base
import Bundles
import Casework
import Response
import Sealing

/// `quell bundle custody`.
struct BundleCustody: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "custody",
        abstract: "Tell who held a bundle, or record that it goes to somebody.",
        discussion: """
            With --to the hand-over is signed and added to NAME.custody.jsonl beside the bundle; the first is made by who \
            captured it. From then on cat, show, extract and decrypt record there who read the bundle. Keep the head that \
            is printed in the ticket: with --head, records that were cut off the end are found. Names in a record are words: \
            below it stands whose key signed it by the trust file, and why a name is only claimed. Exit 3 when the trust \
            file speaks against a record.
            """
    )

    @OptionGroup var options: BundleOptions
    @Option(name: .long, help: ArgumentHelp("Who holds it from now on.", valueName: "name")) var to: String?
    @Option(name: .long, help: ArgumentHelp("The role of who gives it.", valueName: "role")) var role: String?
    @Option(name: .long, help: ArgumentHelp("Why.", valueName: "text")) var reason: String?
    @Option(name: .long, help: ArgumentHelp("Where.", valueName: "text")) var place: String?
    @Option(name: .customLong("as"), help: ArgumentHelp("Who gives it (default: who holds it).", valueName: "name"))
    var actor: String?
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Sign with this key file or agent, as bundle countersign does (default: the store's key).",
            valueName: "key"
        )
    )
    var with: String?
    @Option(
        name: .long,
        help: ArgumentHelp("Read the passphrase of the key file from this descriptor.", valueName: "number")
    )
    var passphraseFd: Int32?
    @Option(name: .long, help: ArgumentHelp("The head from the ticket.", valueName: "digest")) var head: String?
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bundle = try options.verified(in: environment)
        let path = environment.absolute(BytePath(options.bundle))
        let policy = try options.policy(in: environment)
        let expected = try GivenDigest.read(head, to: "read the head")
        var chain = try CustodyChain.read(beside: path, of: bundle, policy, head: expected)
        if let chain { CustodyTelling.warn(chain, telling) }
        if let to {
            let record = CustodyRecord(
                .handover,
                of: bundle.statement.name,
                root: bundle.root,
                by: actor ?? chain?.holder ?? bundle.statement.responder,
                role: try required(role, "--role"),
                to: to,
                reason: try required(reason, "--reason"),
                place: try required(place, "--place"),
                at: environment.now()
            )
            let signer = try signer(in: environment)
            chain = try CustodyChain.append(record, beside: path, of: bundle, policy, signedBy: signer)
            if let chain { CustodyTelling.warn(chain, telling) }
        }
        tell(chain, bundle, telling)
        return CustodyTelling.outcome(of: bundle, chain)
    }

    private func signer(in environment: Environment) throws(Failure) -> Signer {
        guard let with else { return try BundleAccess.signer(common.store, in: environment) }
        var signing = SignerOptions()
        signing.with = with
        signing.passphraseFd = passphraseFd
        return try signing.signer(in: environment)
    }

    private func tell(_ chain: CustodyChain?, _ bundle: VerifiedBundle, _ telling: Teller) {
        if common.json {
            telling.document([
                "root": .string(bundle.root.hex),
                "untrustedHolder": .string(chain?.holder ?? bundle.statement.responder),
                "head": chain?.head.map { .string($0.hex) } ?? .null,
                "untrustedRecords": .array((chain?.entries ?? []).map { document(of: $0) }),
                "tornBytes": .integer(Int64(chain?.torn ?? 0)),
            ])
            return
        }
        for entry in chain?.entries ?? [] {
            let record = entry.record
            let what = record.receiver.map { "to \(Escaped.terminal($0))" } ?? "read"
            telling.result(
                "\(record.number)  \(record.time)  \(Escaped.terminal(record.actor)) (\(Escaped.terminal(record.role))) \(what)"
                    + "  \(Escaped.terminal(record.place)): \(Escaped.terminal(record.reason))"
            )
            telling.result("   \(CustodyTelling.standing(of: entry))")
        }
        telling.result("held by  \(CustodyTelling.holder(chain, bundle))")
        if let head = chain?.head { telling.result("head     \(head)") }
        if chain == nil { telling.say("no hand-over is recorded: the one who captured it holds it") }
    }

    private func document(of entry: CustodyChain.Entry) -> JSONValue {
        let record = entry.record
        var line = JSONObject()
        line["kind"] = .string(record.kind.rawValue)
        line["number"] = .integer(Int64(record.number))
        line["actor"] = .string(record.actor)
        line["role"] = .string(record.role)
        line["receiver"] = record.receiver.map(JSONValue.string)
        line["reason"] = .string(record.reason)
        line["place"] = .string(record.place)
        line["time"] = .string("\(record.time)")
        line["signer"] = .string(entry.signer.hex)
        line["owner"] = entry.owner.map(JSONValue.string)
        line["doubt"] = entry.doubt.map(JSONValue.string)
        line["isContradicted"] = .bool(entry.isContradicted)
        return .object(line)
    }

    private func required(_ value: String?, _ option: String) throws(Failure) -> String {
        guard let value, !value.isEmpty else {
            throw Failure(
                .usage,
                "record the hand-over",
                on: option,
                because: "a hand-over says who, in which role, why and where",
                hint: "quell bundle custody BUNDLE --to NAME --role ROLE --reason TEXT --place TEXT"
            )
        }
        return value
    }
}
