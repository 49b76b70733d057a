internal import ArgumentParser
import Base
import Documents
import Playbooks
import Response

/// `quell playbook lint`.
struct PlaybookLint: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Check a playbook; every finding names file, line, column and the fix."
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("A name or a path.", valueName: "playbook")) var playbook: String

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let document = try PlaybookChoice().find(playbook, in: environment)
        let findings = document.lint(against: KnownActions(ActionCatalogue.descriptors))
        let hasError = findings.contains { $0.severity == .error }
        if common.json {
            telling.document(["playbook": .string(document.name), "untrustedFindings": .array(findings.map(row))])
            return hasError ? .failed : .done
        }
        for finding in findings {
            let fix = finding.fix.map { "; \($0)" } ?? ""
            let words = "\(finding.severity.rawValue): \(finding.reason)\(fix) [\(finding.rule)]"
            telling.result(Escaped.terminal("\(finding.place.text): \(words)"))
        }
        if findings.isEmpty { telling.say("\(document.name) \(document.version): nothing to say") }
        return hasError ? .failed : .done
    }
    private func row(_ finding: LintFinding) -> JSONValue {
        [
            "place": .string(finding.place.text), "severity": .string(finding.severity.rawValue),
            "rule": .string(finding.rule), "reason": .string(finding.reason),
            "fix": finding.fix.map { .string($0) } ?? .null,
        ]
    }
}
