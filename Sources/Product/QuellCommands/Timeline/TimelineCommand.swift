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
            evidence each time.
            """
    )

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, jsonl, timesketch }

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("A case, or the path of a bundle.", valueName: "source")) var source: String
    @Option(name: .long, help: "How to print it: table, jsonl or timesketch.") var format: Format = .table
    @Option(name: .long, help: ArgumentHelp("At most so many rows (table).", valueName: "rows")) var limit: Int?
    @Option(name: .long, help: ArgumentHelp("Columns of the table.", valueName: "cells")) var width: Int?
    @Flag(name: .long, help: "Also show state of the runtime, checkpoints and the like (table).") var all = false

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let store = try events(environment)
        var isWhole = true
        for source in try store.sources() where !source.coverage.isComplete {
            isWhole = false
            telling.warn(
                "\(source.source.member): \(Escaped.terminal(source.coverage.remark ?? "not read to its end"))"
            )
        }
        try write(store, environment, telling)
        return isWhole ? .done : .partial
    }

    private func events(_ environment: Environment) throws(Failure) -> EventStore {
        let cases = try environment.store(common.store)
        let keys = cases.key.map { [$0.verifyingKey] } ?? []
        guard !source.contains("/"), let id = CaseID(source) else {
            let bundle = try BundleJudge.verify(environment.absolute(BytePath(source)), trusting: keys)
            return try temporary(bundle, environment)
        }
        let home = try cases.open(id)
        let captures = try home.captures()
        let most = captures.map(\.profile).max()
        guard let capture = captures.last(where: { $0.profile == most }) else {
            throw Failure(
                .notFound,
                "tell the timeline",
                on: id.text,
                because: "the case has no capture",
                hint: "quell capture LOCATOR --case \(id)"
            )
        }
        let bundle = try BundleJudge.verify(home.bundles.appending(capture.bundle), trusting: keys)
        return try CaseTimeline.build(bundle, for: home)
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
        let store = try CaseTimeline.build(bundle, at: path)
        // The open database keeps the file; nothing is left behind when the process ends, however it ends.
        _ = path.withCString { unlink($0) }
        _ = folder.withCString { rmdir($0) }
        return store
    }

    private func write(_ store: EventStore, _ environment: Environment, _ telling: Teller) throws(Failure) {
        switch format {
        case .table:
            var options = TableExport.Options()
            options.width = width ?? max(environment.terminal.columns, 100)
            options.query.limit = limit
            options.query.includesBookkeeping = all
            try TableExport.write(store, options) { (line) throws(Failure) in telling.result(line) }
        case .jsonl: try JSONLinesExport.write(store) { (line) throws(Failure) in telling.result(line) }
        case .timesketch: try TimesketchExport.write(store) { (line) throws(Failure) in telling.result(line) }
        }
    }
}
