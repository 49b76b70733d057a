internal import ArgumentParser
import Base
import Bundles
import Evidence
import Response

/// `quell bundle show`.
struct BundleShow: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Tell what a bundle is about, what is in it and what is missing, after verifying it.",
        discussion: "Names, arguments and reasons come from the session: they are escaped, and they are testimony."
    )

    @OptionGroup var options: BundleOptions
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bundle = try options.verified(in: environment)
        let review = try BundleReview(of: bundle)
        let imported = try ImportRecord(of: bundle)
        if common.json {
            telling.document(try BundleShowDocument.value(bundle, review, imported))
        } else {
            let columns = max(60, telling.terminal.columns)
            BundleStory(bundle, review, imported, columns: columns).lines.forEach(telling.result)
        }
        BundleAccess.record("show", of: bundle, options, in: environment, telling)
        return bundle.outcome
    }
}

/// A bundle as a person reads it, line by line.
struct BundleStory {
    private let bundle: VerifiedBundle
    private let review: BundleReview
    private let imported: ImportRecord?
    private let columns: Int

    init(_ bundle: VerifiedBundle, _ review: BundleReview, _ imported: ImportRecord?, columns: Int) {
        self.bundle = bundle
        self.review = review
        self.imported = imported
        self.columns = columns
    }

    var lines: [String] { about + origin + contents + processes + sockets + missing }

    private var about: [String] {
        let statement = bundle.statement
        let kind =
            switch statement.purpose {
            case .incident: "evidence of an incident"
            case .exercise: "EXERCISE: evidence of nothing"
            case .imported: "imported, not collected by Quell"
            }
        let head = [
            "intact, \(bundle.signerWords)",
            "root       \(bundle.root)",
            "case       \(safe(statement.caseID)), seal \(statement.number), \(kind)",
        ]
        if imported != nil {
            return head + [
                "imported   \(statement.sealed) on \(safe(statement.host))",
                "by         \(safe(statement.responder))",
                "authority  \(safe(statement.authority ?? "absent"))",
            ]
        }
        return head + [
            "session    \(safe(statement.locator))",
            "host       \(safe(statement.host))",
            "captured   \(statement.began) to \(statement.sealed)",
            "frozen     \(frozen)",
            "by         \(safe(statement.responder))",
            "authority  \(safe(statement.authority ?? "absent"))",
        ]
    }

    /// What was imported, in the words of the import.
    private var origin: [String] {
        guard let imported else { return [] }
        let original = imported.original
        return ["", "original   \(original.name)  \(Words.bytes(original.size))  \(original.sha256)"]
            + ImportStory(imported).lines
    }

    private var frozen: String {
        guard let freeze = bundle.statement.freeze else { return "no: the session may have changed meanwhile" }
        guard let confirmed = freeze.confirmed else { return "asked for, never confirmed" }
        let processes = Words.count(freeze.processes, "process", "processes")
        switch freeze.unbroken {
        case true: return "since \(confirmed), \(processes), unbroken to the seal"
        case false:
            return
                "since \(confirmed), \(processes), BROKEN: \((freeze.breaks ?? []).map(safe).joined(separator: "; "))"
        default: return "since \(confirmed), \(processes), not compared"
        }
    }

    private var contents: [String] {
        var lines = [
            "", "in it      \(bundle.payload.count) files, \(Words.bytes(bundle.payload.reduce(0) { $0 + $1.size }))",
        ]
        for root in review.roots {
            let kinds = [("file", "files"), ("dir", "directories"), ("link", "links")].map { kind, words in
                "\(root.kinds[kind] ?? 0) \(words)"
            }
            let others = root.objects - ["file", "dir", "link"].reduce(0) { $0 + (root.kinds[$1] ?? 0) }
            var line = "  \(root.name): \(kinds.joined(separator: ", "))"
            if others > 0 { line += ", \(others) others" }
            line += "; \(Words.bytes(root.bytes)), packed \(Words.bytes(root.compressed))"
            if root.withoutContent > 0 { line += "; \(root.withoutContent) without content" }
            lines.append(line)
        }
        let others = bundle.payload.filter { !$0.name.text.hasPrefix("data/files/") }
        for file in others.prefix(BundleReview.kept) { lines.append("  \(file.name): \(Words.bytes(file.size))") }
        if others.count > BundleReview.kept { lines.append("  and \(others.count - BundleReview.kept) files more") }
        return lines
    }

    private var processes: [String] {
        guard review.processCount > 0 else { return [] }
        var lines = ["", "processes  \(review.processCount)"]
        for process in review.processes {
            let what = process.arguments.isEmpty ? "[\(process.name)]" : process.arguments
            let user = process.uid.map { "uid \($0)" } ?? "uid not known"
            lines.append(cut("  \(process.key.pid)  \(user)  \(safe(process.membership))  \(safe(what))"))
        }
        if review.processCount > review.processes.count {
            lines.append("  and \(review.processCount - review.processes.count) that began later")
        }
        return lines
    }

    private var sockets: [String] {
        guard review.socketCount > 0 else { return [] }
        var lines = ["", "sockets    \(review.socketCount), \(review.unixSocketCount) of them between processes"]
        for socket in review.sockets {
            var line =
                "  \(safe(socket.transport)) \(safe(socket.state))  \(safe(socket.local)) -> \(safe(socket.remote))"
            if !socket.holders.isEmpty { line += "  pid \(socket.holders.map(String.init).joined(separator: " "))" }
            if let sent = socket.sent, let received = socket.received {
                line +=
                    "  sent \(Words.bytes(UInt64(clamping: sent))), received \(Words.bytes(UInt64(clamping: received)))"
            }
            lines.append(cut(line))
        }
        let others = review.socketCount - review.unixSocketCount - review.sockets.count
        if others > 0 { lines.append("  and \(others) more") }
        return lines
    }

    private var missing: [String] {
        let counts = bundle.statement.counts
        var lines = [
            "",
            "items      \(counts.planned): \(counts.collected) collected, \(counts.partial) partial, "
                + "\(counts.skipped) skipped, \(counts.failed) failed",
        ]
        for thing in review.missing {
            let place = [safe(thing.item), safe(thing.place)].filter { !$0.isEmpty }.joined(separator: " ")
            lines.append("  \(thing.outcome)  \(place): \(safe(thing.reason))")
        }
        if review.missingCount > review.missing.count {
            lines.append("  and \(review.missingCount - review.missing.count) more in data/collection.jsonl")
        }
        return lines
    }

    private func safe(_ text: String) -> String { Escaped.terminal(text) }

    /// One line of the terminal; what is cut is marked.
    private func cut(_ line: String) -> String {
        line.count <= columns ? line : String(line.prefix(columns - 3)) + "..."
    }
}
