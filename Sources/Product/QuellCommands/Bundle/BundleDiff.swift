internal import ArgumentParser
import Base
import Bundles
import Response

/// `quell bundle diff`.
struct BundleDiff: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compare two captures, after verifying both.",
        discussion: """
            Processes by number and start, sockets by the kernel's own number, files of each root by the digests of its \
            mtree, logs and recovered files by digest, memory by name alone. A difference is no failure: the exit \
            status tells of the verification.
            """
    )

    @OptionGroup var options: BundleOptions
    @Argument(help: ArgumentHelp("The later bundle.", valueName: "later")) var later: String
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let first = try options.verified(in: environment)
        let second = try options.verified(later, in: environment)
        let outcome: Outcome = first.outcome == .done && second.outcome == .done ? .done : .partial
        if common.json {
            try telling.document(listing: "untrustedChanges") { (tell: (String) -> Void) throws(Failure) in
                _ = try CaptureDiff(first, second) { change throws(Failure) in
                    tell(CanonicalJSON.text(of: document(of: change)))
                }
            }
            return outcome
        }
        let difference = try CaptureDiff(first, second) { change throws(Failure) in telling.result(line(of: change)) }
        for remark in difference.remarks { telling.warn(remark) }
        for count in difference.counts {
            telling.say(
                "\(count.place)  \(count.added) added, \(count.gone) gone, \(count.changed) changed, \(count.same) the same"
            )
        }
        return outcome
    }

    /// `+` added, `-` gone, `~` changed.
    private func line(of change: CaptureDiff.Change) -> String {
        let sign = ["added": "+", "gone": "-"][change.what] ?? "~"
        let place = [change.kind, change.root].compactMap { $0 }.joined(separator: " ")
        let detail = change.detail.isEmpty ? "" : "  (\(Escaped.terminal(change.detail)))"
        // A path that the mtree escaped has nothing left to escape but its backslashes, which would be doubled. What is not
        // plain ASCII was not written by Quell.
        let isPlain = change.kind == "file" && change.name.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return "\(sign) \(place)  \(isPlain ? change.name : Escaped.terminal(change.name))\(detail)"
    }

    private func document(of change: CaptureDiff.Change) -> JSONValue {
        var line = JSONObject()
        line["kind"] = .string(change.kind)
        line["root"] = change.root.map(JSONValue.string)
        line["what"] = .string(change.what)
        line["name"] = .string(change.name)
        line["detail"] = .string(change.detail)
        return .object(line)
    }
}
