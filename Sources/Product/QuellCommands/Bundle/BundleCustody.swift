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
            is printed in the ticket: with --head, records that were cut off the end are found.
            """
    )

    @OptionGroup var options: BundleOptions
    @Option(name: .long, help: ArgumentHelp("Who holds it from now on.", valueName: "name")) var to: String?
    @Option(name: .long, help: ArgumentHelp("The role of who gives it.", valueName: "role")) var role: String?
    @Option(name: .long, help: ArgumentHelp("Why.", valueName: "text")) var reason: String?
    @Option(name: .long, help: ArgumentHelp("Where.", valueName: "text")) var place: String?
    @Option(name: .customLong("as"), help: ArgumentHelp("Who gives it (default: who holds it).", valueName: "name"))
    var actor: String?
    @Option(name: .long, help: ArgumentHelp("The head from the ticket.", valueName: "digest")) var head: String?
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bundle = try options.verified(in: environment)
        let path = environment.absolute(BytePath(options.bundle))
        let keys = try options.trusted(in: environment)
        var chain = try CustodyChain.read(beside: path, of: bundle, trusting: keys, head: try expectedHead())
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
            let signer = try BundleAccess.signer(common.store, in: environment)
            chain = try CustodyChain.append(record, beside: path, of: bundle, trusting: keys, signedBy: signer)
        }
        tell(chain, bundle, telling)
        return bundle.outcome
    }

    private func tell(_ chain: CustodyChain?, _ bundle: VerifiedBundle, _ telling: Teller) {
        if common.json {
            telling.document([
                "root": .string(bundle.root.hex),
                "untrustedHolder": .string(chain?.holder ?? bundle.statement.responder),
                "head": chain?.head.map { .string($0.hex) } ?? .null,
                "untrustedRecords": .array((chain?.entries ?? []).map { document(of: $0) }),
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
        }
        telling.result("held by  \(Escaped.terminal(chain?.holder ?? bundle.statement.responder))")
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

    private func expectedHead() throws(Failure) -> Digest? {
        guard let head else { return nil }
        guard let digest = Digest(hex: head) else {
            throw Failure(.usage, "read the head", on: head, because: "not 64 lower-case hex digits")
        }
        return digest
    }
}

/// The record that somebody read a bundle, where its custody is kept.
enum BundleAccess {
    /// Records it; what hinders that is told and does not keep anybody from reading: the evidence may be needed now.
    static func record(
        _ what: String,
        of bundle: VerifiedBundle,
        _ options: BundleOptions,
        in environment: Environment,
        _ telling: Teller
    ) {
        let path = environment.absolute(BytePath(options.bundle))
        do throws(Failure) {
            guard try CustodyChain.isKept(beside: path) else { return }
            let record = CustodyRecord(
                .access,
                of: bundle.statement.name,
                root: bundle.root,
                by: environment.responder(nil).name,
                role: "reader",
                reason: what,
                place: "host \(HostName.read())",
                at: environment.now()
            )
            _ = try CustodyChain.append(
                record,
                beside: path,
                of: bundle,
                trusting: try options.trusted(in: environment),
                signedBy: try signer(options.common.store, in: environment)
            )
        } catch {
            telling.warn("this access is not on record: \(error)")
        }
    }

    /// The key of the store.
    ///
    /// - Throws: `notFound` when it has none.
    static func signer(_ store: String?, in environment: Environment) throws(Failure) -> Signer {
        let root = environment.storeDirectory(store)
        guard let key = try CaseStore.loadKey(in: root) else {
            throw Failure(
                .notFound,
                "sign the custody",
                on: "\(root)",
                because: "the store has no key",
                hint: "quell init"
            )
        }
        return .key(key)
    }
}
