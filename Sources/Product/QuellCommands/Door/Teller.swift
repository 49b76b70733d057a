import Base

/// Says things to people and programs.
///
/// The rules of wording: lower case, no full stop; `error:` says what was tried, on which object, why it failed; `hint:`
/// names the next command. Human text goes to standard error, results to standard output. Everything of foreign origin
/// goes through ``Escaped`` before it gets here.
struct Teller: Sendable {
    /// Where results go.
    let output: Sink
    /// Where people read.
    let errors: Sink
    /// Whether only errors and results are wanted.
    let isQuiet: Bool
    /// How to draw.
    let terminal: Terminal
    /// The words behind `quell` of the command that speaks.
    let command: @Sendable () -> String

    /// A line for people.
    func say(_ text: String) {
        if !isQuiet { errors.line(text) }
    }

    /// A line that is the result.
    func result(_ text: String) {
        output.line(text)
    }

    /// The same, with results among what is for people.
    var withoutResults: Teller {
        Teller(
            output: isQuiet ? Sink { _ in } : errors,
            errors: errors,
            isQuiet: isQuiet,
            terminal: terminal,
            command: command
        )
    }

    /// The one JSON document of a command: `body` with the version of its form and the command's words.
    func document(_ body: JSONValue) {
        var object = body.object ?? JSONObject()
        object["quell"] = 1
        object["command"] = .string(command())
        output.line(CanonicalJSON.text(of: .object(object)))
    }

    /// The same for a list that has no end in sight: `lines` hands over each of its values, in canonical JSON.
    func document(listing key: String, _ lines: ((String) -> Void) throws(Failure) -> Void) throws(Failure) {
        var isFirst = true
        output.bytes(Array("{\"command\":\(CanonicalJSON.text(of: .string(command()))),\"quell\":1,\"\(key)\":[".utf8))
        try lines { line in
            output.bytes(Array(((isFirst ? "" : ",") + line).utf8))
            isFirst = false
        }
        output.line("]}")
    }

    /// Something that people must know though the work went on.
    func warn(_ text: String) {
        errors.line("warning: \(text)")
    }

    /// A failure with its hint.
    func tell(_ failure: Failure) {
        let word = failure.code == .waiting ? "waiting:" : "error:"
        errors.line("\(terminal.bad(word)) \(failure.description)")
        if let hint = failure.hint { errors.line("hint: \(hint)") }
    }
}

extension Teller {
    /// A failure that the work goes on without.
    func warnAbout(_ failure: Failure) {
        warn(failure.description)
        if let hint = failure.hint { errors.line("hint: \(hint)") }
    }
}
