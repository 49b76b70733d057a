import Base
import Documents
import Engine

/// What a step gives fits what its action takes, references included.
enum InputsRule: LintRule {
    static let name = "inputs"

    static func check(_ document: PlaybookDocument, against actions: KnownActions) -> [LintFinding] {
        document.steps.compactMap { step in
            guard let descriptor = actions[step.action.value] else { return nil }
            let names = NameScope(document: document, actions: actions, step: step, values: [:])
            do throws(Failure) {
                _ = try InputBinding(names: names, descriptor: descriptor).input()
                return nil
            } catch {
                return LintFinding(name, error, in: document, near: step.place)
            }
        }
    }
}

extension LintFinding {
    /// A positioned failure of reading as a finding at its place.
    init(_ rule: String, _ failure: Failure, in document: PlaybookDocument, near place: Place) {
        self.init(rule, failure, at: Place(text: failure.subject, file: document.place.file) ?? place)
    }
}

extension Place {
    /// Reads the text of a place back.
    fileprivate init?(text: String, file: BytePath) {
        let parts = text.split(separator: ":").suffix(2).compactMap { Int($0) }
        guard parts.count == 2 else { return nil }
        self.init(file: file, position: Position(line: parts[0], column: parts[1]))
    }
}
