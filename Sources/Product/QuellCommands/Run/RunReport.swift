import Base
import Casework
import Engine
import Response

/// What is left of a run: the result in one line, where everything lies, and the next command.
struct RunReport {
    let result: RunResult
    let home: Case

    /// How a report is told.
    enum Form {
        /// For people.
        case text
        /// As the one document of the command.
        case document
        /// Its document stands in another one.
        case partOfDocument
    }

    /// - Returns: the exit status of the run.
    func tell(_ telling: Teller, as form: Form) throws(Failure) -> Outcome {
        if let failure = result.journalFailure { telling.tell(failure) }
        guard form == .text else {
            if form == .document { telling.document(try document()) }
            return result.outcome
        }
        let word = result.outcome == .done ? telling.terminal.good("done") : telling.terminal.bad("\(result.outcome)")
        telling.result("run \(result.run) \(word): \(states)")
        telling.result("case     \(home.id) in \(home.folder)")
        for capture in try home.captures() {
            let place = try BundlePlace(of: capture.bundle, in: home)
            telling.result("bundle   \(place.words) (\(capture.profile.rawValue))")
        }
        if result.isWaiting { return try tellWaiting(telling) }
        telling.say("next     quell timeline \(home.id)")
        telling.say("         quell case journal \(home.id) --verify")
        return result.outcome
    }

    private func tellWaiting(_ telling: Teller) throws(Failure) -> Outcome {
        try ApprovalNotice(home).tell(run: result.run, telling)
        return result.outcome
    }

    private var states: String {
        result.steps.map { "\($0.step) \($0.state.rawValue)" }.joined(separator: ", ")
    }

    private func bundles() throws(Failure) -> [JSONValue] {
        var bundles: [JSONValue] = []
        for capture in try home.captures() {
            bundles.append(.string(try BundlePlace(of: capture.bundle, in: home).words))
        }
        return bundles
    }

    func document() throws(Failure) -> JSONValue {
        var steps: [JSONValue] = []
        for step in result.steps {
            var object = JSONObject()
            object["step"] = .string(step.step)
            object["action"] = .string(step.action)
            object["state"] = .string(step.state.rawValue)
            object["untrustedReasons"] = .array(step.reasons.map { .string($0) })
            object["untrustedOutput"] = step.output ?? .null
            steps.append(.object(object))
        }
        return [
            "run": .string(result.run), "case": .string(home.id.text),
            "folder": .string("\(home.folder)"), "outcome": .string("\(result.outcome)"),
            "exit": .integer(Int64(result.outcome.rawValue)), "steps": .array(steps),
            "waiting": .array(
                try ApprovalDesk(home).open().filter { $0.request.run == result.run }.map(ApprovalNotice.document)
            ),
            "bundles": .array(try bundles()),
        ]
    }
}
