internal import ArgumentParser
import Base
import Bundles
import Casework
import Evidence
import Glibc
import Response
import Sealing

/// How a person names a collector.
enum CollectorName: String, CaseIterable, ExpressibleByArgument {
    case uac, velociraptor, agentdfir
    case podmanCheckpoint = "podman-checkpoint"

    var tool: ForeignTool {
        switch self {
        case .uac: .uac
        case .velociraptor: .velociraptor
        case .agentdfir: .agentdfir
        case .podmanCheckpoint: .podmanCheckpoint
        }
    }
}

/// `quell bundle import`.
struct BundleImport: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Seal the output of another collector in a bundle of its own kind.",
        discussion: """
            PATH is one file: UAC's tar.gz, tar or zip, an offline collection of Velociraptor (zip), an .adfir directory of \
            AgentDFIR packed by tar, an export of podman container checkpoint (tar, tar.gz, tar.zst). It is kept bit for \
            bit as data/imported/original; its members are listed in data/imported.jsonl with their SHA-256; what the \
            collector says of host, time and version stands in data/import.json as claimed, and its own sums are compared. \
            Nothing is unpacked to disk, and archives within the archive are not opened. What cannot be read is sealed all \
            the same, and the record says why.

            An imported bundle has a predicate type of its own and never counts as a capture: no kill goes ahead because \
            of it. Memory and secrets in it lie in plain, as they did before: see quell bundle encrypt. \
            Velociraptor's collections, checkpoints and AgentDFIR's packages were tested with files made by their \
            documented layout, not by the tools themselves.

            Exit 0: sealed, read to its end, and nothing contradicts its collector. 3: sealed, and what is short is told.
            """
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The file that the collector wrote.", valueName: "path")) var path: String
    @Option(name: .long, help: "The collector (default: told by the files in it).") var from: CollectorName?
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The log that the collector wrote beside it: sealed too, and its sums compared.",
            valueName: "file"
        )
    )
    var log: String?
    @Option(name: .long, help: ArgumentHelp("The case that it belongs to (default: none).", valueName: "id"))
    var `case`: String?
    @Option(
        name: .long,
        help: ArgumentHelp("Without a case: the new directory (default: import-DIGEST here).", valueName: "dir")
    )
    var to: String?
    @Option(name: .long, help: ArgumentHelp("Who permits it: a ticket, a legal basis.", valueName: "text"))
    var authority: String?
    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("Who imports (default: the login name behind sudo).", valueName: "name")
    )
    var actor: String?

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let order = ImportOrder(
            path: environment.absolute(BytePath(path)),
            from: from?.tool,
            log: log.map { environment.absolute(BytePath($0)) }
        )
        let sealed = try seal(order, in: environment)
        if common.json {
            telling.document(try document(sealed))
        } else {
            tell(sealed, telling)
        }
        return sealed.record.isWhole ? .done : .partial
    }

    private func seal(_ order: ImportOrder, in environment: Environment) throws(Failure) -> SealedImport {
        let responder = environment.responder(actor)
        if let `case` {
            guard to == nil else {
                throw Failure(.usage, "import", on: "--to", because: "a bundle of a case lies in its folder")
            }
            let store = try environment.store(common.store)
            let home = try store.open(try environment.requiredCase(`case`))
            return try ForeignEvidence(
                key: store.key,
                responder: responder,
                authority: authority,
                version: Version.number
            )
            .seal(order, in: home)
        }
        let key = try CaseStore.loadKey(in: environment.storeDirectory(common.store))
        let evidence = ForeignEvidence(key: key, responder: responder, authority: authority, version: Version.number)
        // Random, so that two imports of one file are two bundles.
        let name = "import-" + Hex.encode((0..<4).map { _ in UInt8.random(in: 0...255) })
        return try evidence.seal(order, named: name, to: environment.absolute(BytePath(to ?? name)))
    }

    private func tell(_ sealed: SealedImport, _ telling: Teller) {
        let record = sealed.record
        telling.result("imported \(sealed.bundle.path)")
        telling.result("root     \(sealed.bundle.root)\(sealed.bundle.isSigned ? "" : " (not signed)")")
        telling.result(
            "original \(record.original.sha256)  \(Words.bytes(record.original.size))  \(record.original.name)"
        )
        for line in ImportStory(record).lines { telling.result(line) }
        if record.from == .podmanCheckpoint {
            telling.say("warning: a checkpoint holds the memory of the container in plain")
            telling.say("hint: quell bundle encrypt BUNDLE --recipient CERT")
        }
    }

    private func document(_ sealed: SealedImport) throws(Failure) -> JSONValue {
        [
            "bundle": .string("\(sealed.bundle.path)"), "root": .string(sealed.bundle.root.hex),
            "signed": .bool(sealed.bundle.isSigned), "collectedByQuell": false,
            "untrustedImport": try JSONEncoding.value(of: sealed.record),
            "exit": .integer(Int64((sealed.record.isWhole ? Outcome.done : .partial).rawValue)),
        ]
    }
}

/// What was imported, as a person reads it. Everything that the collector says is claimed, and escaped.
struct ImportStory {
    private let record: ImportRecord

    init(_ record: ImportRecord) { self.record = record }

    var lines: [String] { [collector, listing] + problems + claimed + sums }

    private var collector: String {
        guard let from = record.from else { return "from     a collector that is not known" }
        if from == record.recognised { return "from     \(from.rawValue)" }
        return "from     \(from.rawValue), which was stated and does not show in its files"
    }

    private var listing: String {
        let members = Words.count(record.members, "member", "members")
        var line = "members  \(members), read as \(record.form.rawValue)"
        if record.oddMembers > 0 { line += ", \(record.oddMembers) with remarks (\(ImportRecord.list))" }
        return line
    }

    private var problems: [String] {
        var lines: [String] = []
        if let reason = record.notUnderstood { lines.append("         not understood: \(safe(reason))") }
        if record.original.changedMeanwhile { lines.append("         the file changed while it was copied") }
        for gap in record.unread ?? [] { lines.append("         not read: \(safe(gap))") }
        for remark in record.remarks { lines.append("         odd: \(safe(remark))") }
        return lines
    }

    private var claimed: [String] {
        guard let claims = record.claimed else { return [] }
        var words = [safe([claims.tool, claims.version].compactMap { $0 }.joined(separator: " "))]
        if let host = claims.host { words.append("host \(safe(host))") }
        let times = [claims.began, claims.ended].compactMap { $0 }.map(safe)
        if !times.isEmpty { words.append(times.joined(separator: " to ")) }
        return ["claimed  \(words.joined(separator: ", "))"]
    }

    private var sums: [String] {
        var lines: [String] = []
        if let sums = record.sums {
            let sources = sums.sources.joined(separator: ", ")
            lines.append(
                "sums     \(sums.agreed) of \(sums.listed) agree with \(sources)"
                    + (sums.isWhole ? "" : "; \(sums.differing) DIFFER, \(sums.missing) missing")
            )
            for example in sums.examples { lines.append("         differs: \(example)") }
        }
        if let log = record.log {
            let agreeing =
                log.agreeing.isEmpty
                ? "names no sum of the original" : "has its \(log.agreeing.joined(separator: ", "))"
            let differing = log.differing.isEmpty ? "" : "; says ANOTHER \(log.differing.joined(separator: ", "))"
            lines.append("log      \(agreeing)\(differing)")
        }
        return lines
    }

    private func safe(_ text: String) -> String { Escaped.terminal(text) }
}
