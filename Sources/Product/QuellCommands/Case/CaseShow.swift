internal import ArgumentParser
import Base
import Casework
import Engine
import Response

/// `quell case show`.
struct CaseShow: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show what a case is about and what was done."
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let store = try environment.store(common.store)
        let found = try store.open(try environment.requiredCase(id))
        let opening = try found.opening()
        let captures = try found.captures()
        let runs = try runs(of: found, telling)
        if common.json {
            telling.document([
                "case": .string(found.id.text), "folder": .string("\(found.folder)"),
                "opened": .string(opening.entry.time.description), "closed": .bool(try found.isClosed()),
                "untrustedReason": .string(opening.reason),
                "subjects": try JSONEncoding.value(of: try found.subjects()),
                "captures": try JSONEncoding.value(of: captures), "runs": try JSONEncoding.value(of: runs),
            ])
            return .done
        }
        telling.result("case     \(found.id) (\(try found.isClosed() ? "closed" : "open"))")
        telling.result("opened   \(opening.entry.time) by \(Escaped.terminal(opening.entry.actor.name))")
        if !opening.reason.isEmpty { telling.result("reason   \(Escaped.terminal(opening.reason))") }
        telling.result("folder   \(found.folder)")
        for pin in try found.subjects() { telling.result("session  \(Words.pin(pin))") }
        for run in runs {
            let what = run.undoes.map { "takes back \($0)" } ?? run.actions.joined(separator: ", ")
            let end = run.isUndone ? "taken back" : run.isEnded ? "ended" : "not ended"
            telling.result("run      \(run.run) (\(end)): \(what.isEmpty ? "nothing done" : what)")
        }
        for capture in captures {
            let kind = capture.purpose == .foreign ? "imported" : capture.profile.rawValue
            let place = try BundlePlace(of: capture.bundle, in: found)
            telling.result("bundle   \(place.words) (\(kind))")
            telling.result("         root \(capture.root)")
        }
        telling.result("next     quell case journal \(found.id) --verify")
        return .done
    }

    /// What a journal that does not hold says of runs is not shown.
    private func runs(of found: Case, _ telling: Teller) throws(Failure) -> [RunSummary] {
        do throws(Failure) {
            return try RunSummary.all(in: try found.journal.verify().verified(of: found.id))
        } catch {
            guard error.code == .notVerified else { throw error }
            telling.warnAbout(error)
            return []
        }
    }
}

extension Environment {
    /// The case of a required argument.
    ///
    /// - Throws: `usage` when it is no name of a case.
    func requiredCase(_ text: String) throws(Failure) -> CaseID {
        guard let id = CaseID(text) else {
            throw Failure(.usage, "find the case", on: text, because: "not a case's name", hint: "quell case list")
        }
        return id
    }
}
