public import Base
import Documents
import Engine

extension PlaybookDocument {
    static let keys = ["playbook", "version", "title", "maps", "parameters", "steps"]
    static let stepKeys = ["id", "action", "with", "needs", "after", "when", "timeout", "retry", "onFailure"]

    /// Reads a playbook's text; `file` names it in errors. Every error names file, line and column, and the fix.
    public static func parse(_ bytes: [UInt8], named file: BytePath) throws(Failure) -> PlaybookDocument {
        try PlaybookDocument(YAMLReader.read(bytes, named: file))
    }

    init(_ document: Document) throws(Failure) {
        let mapping = try document.mapping(known: PlaybookDocument.keys)
        name = try mapping.required("playbook").word()
        version = try mapping.required("version").version()
        title = try mapping.string("title")
        maps = try mapping.strings("maps")
        var parameters: [PlaybookParameter] = []
        for entry in try mapping["parameters"]?.anyMapping().entries ?? [] {
            parameters.append(try PlaybookParameter(entry))
        }
        self.parameters = parameters
        let list = try mapping.required("steps")
        var steps: [PlaybookStep] = []
        for item in try list.list() {
            let step = try PlaybookStep(item)
            if let first = steps.first(where: { $0.id.value == step.id.value }) {
                throw step.id.place.failure(
                    "a second step with the id \"\(step.id.value)\", first at \(first.id.place.position)",
                    fix: "give each step its own id"
                )
            }
            steps.append(step)
        }
        guard !steps.isEmpty else { throw list.place.failure("a playbook has at least one step") }
        self.steps = steps
        place = document.place
    }
}

extension PlaybookStep {
    init(_ document: Document) throws(Failure) {
        let mapping = try document.mapping(known: PlaybookDocument.stepKeys)
        let idValue = try mapping.required("id")
        id = Located(value: try idValue.word(), place: idValue.place)
        let actionValue = try mapping.required("action")
        action = Located(value: try actionValue.string(), place: actionValue.place)
        with = try mapping["with"]?.anyMapping().entries ?? []
        needs = try mapping.stepNames("needs")
        after = try mapping.stepNames("after")
        when = try mapping["when"].map { value throws(Failure) in try WhenText(value) }
        timeout = try mapping.positiveDuration("timeout")
        retries = try mapping["retry"]?.int(in: 0...10) ?? 0
        onFailure = try mapping.onFailure()
        place = document.place
    }
}

extension DocumentMapping {
    fileprivate func stepNames(_ key: String) throws(Failure) -> [Located<String>] {
        var names: [Located<String>] = []
        for item in try self[key]?.list() ?? [] {
            names.append(Located(value: try item.string(), place: item.place))
        }
        return names
    }

    fileprivate func positiveDuration(_ key: String) throws(Failure) -> Duration? {
        guard let value = self[key] else { return nil }
        let duration = try value.duration()
        guard duration > .zero else { throw value.expected("a duration above zero") }
        return duration
    }

    fileprivate func onFailure() throws(Failure) -> StepGraph.OnFailure {
        guard let value = self["onFailure"] else { return .continue }
        guard let choice = StepGraph.OnFailure(rawValue: try value.string()) else {
            throw value.expected("\"stop\" or \"continue\"")
        }
        return choice
    }
}

extension Document {
    /// A name or an id that Quell may print in a command.
    func word() throws(Failure) -> String {
        let text = try string()
        let isWord = text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "-")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard isWord, (1...64).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "-") else {
            throw expected("a name of a-z, 0-9 and -, at most 64 letters")
        }
        return text
    }

    func version() throws(Failure) -> String {
        let text = try string()
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ UInt32($0) != nil && !$0.hasPrefix("+") }) else {
            throw expected("a version of three numbers such as 1.0.0")
        }
        return text
    }
}
