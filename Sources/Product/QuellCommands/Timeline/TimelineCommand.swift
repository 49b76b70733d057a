internal import ArgumentParser
import Base
import Bundles
import Casework
import Glibc
import Response
import Sealing
import Timeline

/// `quell timeline`.
struct TimelineCommand: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "timeline",
        abstract: "Tell what a session was told, said and did, and what the host saw.",
        discussion: """
            SOURCE is a case or the path of a bundle. Each row says who vouches for it: what the agent wrote is \
            testimony or a claimed instruction; only the kernel and Quell observe. The store is rebuilt from verified \
            evidence each time. --json prints the rows of jsonl as one document. A bundle whose signer is not trusted is told with exit status 3.
            """
    )

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, jsonl, timesketch }

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("A case, or the path of a bundle.", valueName: "source")) var source: String
    @Option(
        name: .long,
        help: ArgumentHelp("Trust the bundles of this public key (PEM); may be given again.", valueName: "file")
    )
    var key: [String] = []
    @Option(name: .long, help: "How to print it: table, jsonl or timesketch.") var format: Format = .table
    @Option(name: .long, help: ArgumentHelp("At most so many rows (table).", valueName: "rows")) var limit: Int?
    @Option(
        name: .long,
        help: ArgumentHelp("Columns of the table; a pipe or a file gets whole rows unless told.", valueName: "cells")
    )
    var width: Int?
    @Flag(name: .long, help: "Also show what was before the session, runtime state and checkpoints (table).") var all =
        false

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let (store, bundle) = try events(environment)
        // Of a case the journal says which bundle it is; of a file only its signer vouches.
        var isWhole = true
        if let bundle, !bundle.signer.isTrusted {
            isWhole = false
            telling.warn("the bundle is \(bundle.signerWords): nobody vouches for what it says")
        }
        for source in try store.sources() where !source.coverage.isComplete {
            isWhole = false
            telling.warn(
                "\(source.source.member): \(Escaped.terminal(source.coverage.remark ?? "not read to its end"))"
            )
        }
        try write(store, environment, telling)
        return isWhole ? .done : .partial
    }

    /// The events, and the bundle when it was named by its path.
    private func events(_ environment: Environment) throws(Failure) -> (EventStore, VerifiedBundle?) {
        var keys: [VerifyingKey] = []
        for path in key { keys.append(try VerifyingKey(loading: environment.absolute(BytePath(path)))) }
        if key.isEmpty { keys = try environment.ownKeys(common.store) }
        guard !source.contains("/"), let id = CaseID(source) else {
            let bundle = try BundleJudge.verify(environment.absolute(BytePath(source)), trusting: keys)
            return (try temporary(bundle, environment), bundle)
        }
        let home = try environment.store(common.store).open(id)
        let (richest, elsewhere) = try home.richestCapture { $0.purpose != .foreign }
        guard let capture = richest else {
            throw Failure(
                .notFound,
                "tell the timeline",
                on: id.text,
                because: elsewhere.map { "its capture went to \($0.words), where it cannot be read from here" }
                    ?? "the case has no capture",
                hint: elsewhere.map { _ in "quell timeline BUNDLE, where the bundle is" }
                    ?? "quell capture LOCATOR --case \(id)"
            )
        }
        return (try CaseTimeline.build(try BundleJudge.verify(capture, in: home, trusting: keys), for: home), nil)
    }

    /// A store beside no case goes to a fresh private folder that is removed when the process ends.
    private func temporary(_ bundle: VerifiedBundle, _ environment: Environment) throws(Failure) -> EventStore {
        let pattern = (environment.variable("TMPDIR") ?? "/tmp") + "/quell-timeline-XXXXXX"
        var template = pattern.utf8.map { CChar(bitPattern: $0) } + [0]
        guard mkdtemp(&template) != nil else {
            throw Failure(errno: errno, "make a folder for the timeline", on: BytePath("/tmp"))
        }
        let folder = BytePath(template.map { UInt8(bitPattern: $0) })
        let path = folder.appending("timeline.sqlite")
        // The open database keeps the file; nothing is left behind when the process ends, however it ends.
        defer {
            _ = path.withCString { unlink($0) }
            _ = folder.withCString { rmdir($0) }
        }
        return try CaseTimeline.build(bundle, at: path)
    }

    private func write(_ store: EventStore, _ environment: Environment, _ telling: Teller) throws(Failure) {
        guard !common.json else {
            return try telling.document(listing: "untrustedEvents") { (tell: (String) -> Void) throws(Failure) in
                try JSONLinesExport.write(store) { (line) throws(Failure) in tell(line) }
            }
        }
        switch format {
        case .table:
            var options = TableExport.Options()
            options.width = width ?? environment.terminal.resultColumns.map { max($0, 100) }
            options.query.limit = limit
            // Files are older than the session: without --all the first rows are what it was told, not their births.
            options.query.since = all ? nil : try store.storyStart()
            options.query.includesBookkeeping = all
            try TableExport.write(store, options) { (line) throws(Failure) in telling.result(line) }
        case .jsonl: try JSONLinesExport.write(store) { (line) throws(Failure) in telling.result(line) }
        case .timesketch: try TimesketchExport.write(store) { (line) throws(Failure) in telling.result(line) }
        }
    }
}
