import Base

/// The two files of a bundle that people read: SUMMARY.txt and VERIFY.txt.
///
/// VERIFY.txt is not trusted, it is part of what it tells to check (RT19): it says so, takes key and fingerprint from
/// outside and counts the files. Its indented lines are complete shell commands (POSIX sh) and the tests run them.
struct BundleText {
    let statement: SealStatement
    let payload: [PayloadRecord]
    let secrets: [PayloadRecord]
    let isSigned: Bool

    var fileCount: Int { payload.count + secrets.count + BundleFiles.countBesidesPayload }

    var roots: [String] {
        payload.compactMap { record in
            guard record.name.text.hasPrefix("data/files/"), record.name.text.hasSuffix(".mtree") else { return nil }
            return String(record.name.text.dropFirst("data/files/".count).dropLast(".mtree".count))
        }
    }

    private func safe(_ text: String) -> String { Escaped.terminal(text) }

    private func time(_ instant: Instant?) -> String { instant?.description ?? "not known" }
}

extension BundleText {
    var summary: String {
        let kind =
            switch statement.purpose {
            case .incident: "Evidence of one session of an AI agent, captured in an incident."
            case .exercise: "EXERCISE. Captured in a drill: nothing in here is evidence of an incident."
            case .imported: "Foreign evidence, brought into a case as it was. Quell did not collect it."
            }
        return """
            \(kind)

            case       \(safe(statement.caseID)), bundle \(statement.number) of it, \(statement.name)
            session    \(safe(statement.locator))
            host       \(safe(statement.host))
            \(captured)
            by         \(safe(statement.responder))
            authority  \(statement.authority.map(safe) ?? "none was recorded")
            tool       \(safe(statement.tool.name)) \(safe(statement.tool.version))
            seal       \(isSigned ? "signed, see VERIFY.txt" : "UNSIGNED when it was made: nobody stands behind it, unless seal.dsse.json came since")

            items      \(statement.counts.planned) planned: \(statement.counts.collected) collected, \
            \(statement.counts.partial) in part, \(statement.counts.skipped) skipped, \(statement.counts.failed) failed
                       (data/collection.jsonl has each with its reason)
            payload    \(payload.count) files

            \(listing)

            Names, texts and file contents in data/ come from \(origin). They may be made to deceive people and
            programs: read them as testimony, do not run or render them. Command lines, transcripts, logs and files are
            kept as they were and may hold passwords and other secrets: pass this bundle on as one.

            """
    }

    private var origin: String { statement.purpose == .imported ? "another collector" : "the session" }

    private var captured: String {
        if statement.purpose == .imported { return "imported   \(statement.began) to \(statement.sealed)" }
        return """
            captured   \(statement.began) to \(statement.sealed)
            frozen     \(frozen)
            """
    }

    private var frozen: String {
        guard let freeze = statement.freeze else { return "no: the session may have changed while it was captured" }
        guard let confirmed = freeze.confirmed else { return "asked for, never confirmed" }
        let span = "\(confirmed) to at least \(time(freeze.lastSeen)), \(freeze.processes) processes"
        guard freeze.unbroken == false else { return span }
        return "\(span); BROKEN while it was captured: \(freeze.breaks?.count ?? 0) signs"
    }

    private var listing: String {
        (payload + secrets).map { record in
            let size = String(record.size)
            return String(repeating: " ", count: max(0, 15 - size.count)) + size + "  " + record.name.text
        }.joined(separator: "\n")
    }
}
