public import Base
public import Documents
import Engine

/// One thing that is wrong with a playbook, found without running it.
public struct LintFinding: Hashable, Sendable {
    /// Whether it keeps the playbook from running.
    public enum Severity: String, Sendable, Codable {
        /// The playbook does not run.
        case error
        /// It runs, but not as its author thinks.
        case warning
    }

    /// Whether it keeps the playbook from running.
    public let severity: Severity
    /// The rule, `[a-z-]`.
    public let rule: String
    /// Where.
    public let place: Place
    /// What is wrong.
    public let reason: String
    /// What to write instead.
    public let fix: String?

    /// As the failure of reading the playbook.
    public var failure: Failure { place.failure(reason, fix: fix, attempt: "read the playbook") }

    init(_ severity: Severity, _ rule: String, at place: Place, _ reason: String, fix: String? = nil) {
        self.severity = severity
        self.rule = rule
        self.place = place
        self.reason = reason
        self.fix = fix
    }

    init(_ rule: String, _ failure: Failure, at place: Place) {
        self.init(.error, rule, at: place, failure.reason, fix: failure.hint)
    }
}

/// One rule, one file. A rule looks at the whole playbook and at the actions that exist; it runs nothing.
protocol LintRule {
    /// Its name, `[a-z-]`.
    static var name: String { get }

    static func check(_ document: PlaybookDocument, against actions: KnownActions) -> [LintFinding]
}

extension PlaybookDocument {
    /// Everything that is wrong, in the order of the file.
    public func lint(against actions: KnownActions) -> [LintFinding] {
        let rules: [any LintRule.Type] = [
            StepsRule.self, CycleRule.self, InputsRule.self, ConditionsRule.self, UnreachableRule.self,
            CaptureFirstRule.self, UnusedParameterRule.self,
        ]
        return rules.flatMap { $0.check(self, against: actions) }.sorted { $0.place.position < $1.place.position }
    }
}
