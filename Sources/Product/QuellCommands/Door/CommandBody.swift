import Base

/// What a command does, apart from the parser that read its command line.
protocol CommandBody: SendableMetatype {
    /// The words behind `quell` that call it, such as `case list`; `overview` for `quell` alone.
    static var words: String { get }
    /// Whether one JSON document is wanted on standard output.
    var wantsJSON: Bool { get }
    /// Whether only errors and results are wanted.
    var isQuiet: Bool { get }
    /// The store that was named.
    var chosenStore: String? { get }

    /// Does the work.
    ///
    /// - Returns: how it ended.
    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome
}

extension CommandBody {
    /// Runs, tells a failure, and gives the outcome.
    func outcome(in environment: Environment) -> Outcome {
        let teller = Teller(
            output: environment.output,
            errors: environment.errors,
            isQuiet: isQuiet,
            terminal: environment.terminal,
            command: { Self.words }
        )
        do throws(Failure) {
            let outcome = try run(in: environment, telling: teller)
            guard let failure = environment.output.failure else { return outcome }
            // The work is done, but a result that stands half in a file must not end like a whole one.
            teller.tell(failure)
            return outcome == .done ? .partial : outcome
        } catch {
            teller.tell(withStore(withSudoLine(error, environment), environment))
            if wantsJSON {
                teller.document([
                    "outcome": .string("\(Outcome(error))"),
                    "exit": .integer(Int64(Outcome(error).rawValue)),
                    "failure": failureDocument(error),
                ])
            }
            return Outcome(error)
        }
    }

    private func failureDocument(_ failure: Failure) -> JSONValue {
        var object = JSONObject()
        object["code"] = .string(failure.code.rawValue)
        object["attempt"] = .string(failure.attempt)
        object["untrustedSubject"] = .string(failure.subject)
        object["untrustedReason"] = .string(failure.reason)
        object["hint"] = failure.hint.map { .string($0) }
        return .object(object)
    }

    /// A hint is for the store that was given; commands that need none take the option all the same.
    private func withStore(_ failure: Failure, _ environment: Environment) -> Failure {
        guard let store = chosenStore, let hint = failure.hint, hint.hasPrefix("quell "), !hint.contains("--store")
        else {
            return failure
        }
        return failure.hinting("\(hint) --store \(ShellWord.quoted(store))")
    }

    /// A refused right is answered with the exact line that has it (DESIGN section 4, status 77).
    private func withSudoLine(_ failure: Failure, _ environment: Environment) -> Failure {
        guard failure.code == .notPermitted, failure.hint == nil, environment.userID != 0 else { return failure }
        return failure.hinting(sudoLine)
    }
}
