internal import ArgumentParser
import Base
import Bundles

/// `quell bundle extract`.
struct BundleExtract: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "extract",
        abstract: "Bring archived roots, or files of a bundle, to disk, after verifying it.",
        discussion: """
            Without --root and PATH every archived root comes to a directory of its name in DIR; with --root that root \
            alone, and with PATH only what lies there. PATH without --root is a file of the bundle, such as \
            data/processes.jsonl. DIR must be new or empty. No name leads out of it; owners, attributes, devices, pipes \
            and the right to run as another user are left out unless you ask for them.
            """
    )

    @OptionGroup var options: BundleOptions
    @Argument(help: ArgumentHelp("Only these.", valueName: "path")) var paths: [String] = []
    @Option(name: .long, help: ArgumentHelp("A directory, new or empty.", valueName: "dir")) var to: String
    @Option(name: .long, help: ArgumentHelp("An archived root.", valueName: "name")) var root: String?
    @Flag(name: .long, help: "Give files to the owners that they had.") var owners = false
    @Flag(name: .long, help: "Keep extended attributes and access lists.") var attributes = false
    @Flag(name: .long, help: "Make devices and named pipes.") var withDevices = false
    @Flag(name: .long, help: "Keep setuid and setgid bits and file capabilities.") var withSetuid = false
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bundle = try options.verified(in: environment)
        let what = ([root].compactMap { $0 } + paths).joined(separator: " ")
        BundleAccess.record("extract \(what)", of: bundle, options, in: environment, telling)
        if root == nil, !paths.isEmpty { return try extractFiles(of: bundle, in: environment, telling) }
        let roots = root.map { [$0] } ?? bundle.roots
        if let unknown = roots.first(where: { !bundle.roots.contains($0) }) {
            throw Failure(
                .notFound,
                "extract a root",
                on: unknown,
                because: "the bundle has no such root",
                hint: "quell bundle list BUNDLE"
            )
        }
        let target = try ExtractionTarget(at: environment.absolute(BytePath(to)))
        var documents: [JSONValue] = []
        var outcome = bundle.outcome
        for name in roots {
            let place = root == nil ? try target.subdirectory(BytePath(name)) : target
            let report = try bundle.extract(root: name, to: place, wanted)
            if common.json {
                documents.append(document(of: report, name, place))
            } else {
                tell(report, name, place, telling)
            }
            if report.failed > 0 || !report.unmatched.isEmpty { outcome = .partial }
        }
        if common.json { telling.document(["roots": .array(documents), "untrustedTarget": .string("\(target.path)")]) }
        return outcome
    }

    private var wanted: ExtractionOptions {
        ExtractionOptions(
            paths: paths.map { BytePath(joining: BytePath($0).components.filter { $0 != BytePath(".") }) },
            keepsOwners: owners,
            keepsAttributes: attributes,
            makesDevices: withDevices,
            keepsSetuid: withSetuid
        )
    }

    private func extractFiles(
        of bundle: VerifiedBundle,
        in environment: Environment,
        _ telling: Teller
    ) throws(Failure) -> Outcome {
        var names: [PayloadName] = []
        for path in paths { names.append(try BundleFileName.read(path)) }
        if let unknown = names.first(where: { name in !bundle.payload.contains { $0.name == name } }) {
            throw Failure(.notFound, "extract a file", on: unknown.text, because: "the bundle has no such file")
        }
        let target = try ExtractionTarget(at: environment.absolute(BytePath(to)))
        var files: [JSONValue] = []
        for name in names {
            let size = try bundle.extract(name, to: target)
            if common.json {
                files.append(["name": .string(name.text), "bytes": .integer(Int64(clamping: size))])
            } else {
                telling.result("\(target.path.appending(name.text))  \(Words.bytes(size))")
            }
        }
        if common.json { telling.document(["files": .array(files), "untrustedTarget": .string("\(target.path)")]) }
        return bundle.outcome
    }

    private func tell(_ report: ExtractionReport, _ root: String, _ place: ExtractionTarget, _ telling: Teller) {
        var parts = [
            Words.count(Int(clamping: report.files), "file", "files"),
            Words.count(Int(clamping: report.directories), "directory", "directories"),
        ]
        if report.hardLinks > 0 {
            parts.append(Words.count(Int(clamping: report.hardLinks), "hard link", "hard links"))
        }
        if report.symlinks > 0 { parts.append(Words.count(Int(clamping: report.symlinks), "link", "links")) }
        if report.special > 0 { parts.append("\(report.special) devices and pipes") }
        telling.result("\(root)  \(parts.joined(separator: ", ")), \(Words.bytes(report.bytes))  in \(place.path)")
        for remark in report.remarks {
            let word = remark.isByPolicy ? "left out" : telling.terminal.bad("not done")
            telling.say("\(word)     \(remark.path): \(Escaped.terminal(remark.reason))")
        }
        let more = report.leftOut + report.failed - UInt64(report.remarks.count)
        if more > 0 { telling.say("and \(more) more: \(report.leftOut) left out, \(report.failed) not done in all") }
        for path in report.unmatched { telling.warn("the root \(root) has no \(path)") }
    }

    private func document(of report: ExtractionReport, _ root: String, _ place: ExtractionTarget) -> JSONValue {
        let number = { (value: UInt64) -> JSONValue in .integer(Int64(clamping: value)) }
        return [
            "root": .string(root), "files": number(report.files), "directories": number(report.directories),
            "hardLinks": number(report.hardLinks), "symlinks": number(report.symlinks),
            "special": number(report.special), "bytes": number(report.bytes), "leftOut": number(report.leftOut),
            "failed": number(report.failed),
            "untrustedRemarks": .array(
                report.remarks.map { remark in
                    [
                        "path": .string("\(remark.path)"), "reason": .string(remark.reason),
                        "isByPolicy": .bool(remark.isByPolicy),
                    ]
                }
            ), "untrustedUnmatched": .array(report.unmatched.map { .string("\($0)") }),
        ]
    }
}

/// The name of a payload file as a person gives it.
enum BundleFileName {
    /// - Throws: `usage` when it is none.
    static func read(_ text: String) throws(Failure) -> PayloadName {
        do throws(Failure) {
            return try PayloadName(text)
        } catch {
            let hint = "quell bundle list BUNDLE"
            throw Failure(.usage, "read the file's name", on: text, because: error.reason, hint: hint)
        }
    }
}
