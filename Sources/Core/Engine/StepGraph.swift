public import Base

/// The steps of a run and how they depend on each other. A value: it is stored whole in the journal when the run starts,
/// so a resume needs no file.
public struct StepGraph: Hashable, Sendable, Codable {
    /// What happens to the run when a step fails, times out or is refused.
    public enum OnFailure: String, Sendable, Codable {
        /// No step starts any more; running ones end.
        case stop
        /// Only the steps that need it are skipped.
        case `continue`
    }

    /// One step.
    public struct Step: Hashable, Sendable, Codable {
        /// `[a-z0-9-]`, unique in the graph.
        public let id: String
        /// The action's name.
        public let action: String
        /// An object with the action's input; values may be ``OutputReference/json``.
        public let parameters: JSONValue
        /// Steps that must have succeeded or partly succeeded before.
        public let needs: [String]
        /// Steps that must have ended before, however.
        public let after: [String]
        /// Whether it runs at all.
        public let when: Condition?
        /// How long it may take, in nanoseconds; the action's own deadline when absent.
        public let timeoutNanoseconds: Int64?
        /// How often it is tried again after it failed or timed out.
        public let retries: Int
        /// What its failure does to the run.
        public let onFailure: OnFailure

        /// Takes all parts.
        public init(
            id: String,
            action: String,
            parameters: JSONValue = [:],
            needs: [String] = [],
            after: [String] = [],
            when: Condition? = nil,
            timeout: Duration? = nil,
            retries: Int = 0,
            onFailure: OnFailure = .continue
        ) {
            self.id = id
            self.action = action
            self.parameters = parameters
            self.needs = needs
            self.after = after
            self.when = when
            self.timeoutNanoseconds = timeout?.wholeNanoseconds
            self.retries = retries
            self.onFailure = onFailure
        }

        /// As Swift would, without a key type of its own (``Base/JSONKey``).
        public func encode(to encoder: any Encoder) throws {
            var members = encoder.container(keyedBy: JSONKey.self)
            try members.encode(id, forKey: "id")
            try members.encode(action, forKey: "action")
            try members.encode(parameters, forKey: "parameters")
            try members.encode(needs, forKey: "needs")
            try members.encode(after, forKey: "after")
            if let when { try members.encode(when, forKey: "when") }
            if let timeoutNanoseconds { try members.encode(timeoutNanoseconds, forKey: "timeoutNanoseconds") }
            try members.encode(retries, forKey: "retries")
            try members.encode(onFailure.rawValue, forKey: "onFailure")
        }

        fileprivate func document() throws(Failure) -> JSONValue {
            var members = JSONObject()
            members["id"] = .string(id)
            members["action"] = .string(action)
            members["parameters"] = parameters
            members["needs"] = .array(needs.map(JSONValue.string))
            members["after"] = .array(after.map(JSONValue.string))
            if let when { members["when"] = try JSONEncoding.value(of: when) }
            if let timeoutNanoseconds { members["timeoutNanoseconds"] = JSONEncoding.integer(timeoutNanoseconds) }
            members["retries"] = .integer(Int64(retries))
            members["onFailure"] = .string(onFailure.rawValue)
            return .object(members)
        }
    }

    /// The playbook's name, or the verb's.
    public let name: String
    /// The playbook's version; empty for a single verb.
    public let version: String
    /// The steps in the order written.
    public let steps: [Step]

    /// Takes all parts; ``check(against:)`` says whether they fit together.
    public init(name: String, version: String = "", steps: [Step]) {
        self.name = name
        self.version = version
        self.steps = steps
    }

    /// As Swift would, without a key type of its own (``Base/JSONKey``).
    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: JSONKey.self)
        try members.encode(name, forKey: "name")
        try members.encode(version, forKey: "version")
        try members.encode(steps, forKey: "steps")
    }

    /// What an encoder gives, without one: a freeze writes it before it freezes.
    ///
    /// - Throws: `malformed` when a condition cannot be encoded.
    func document() throws(Failure) -> JSONValue {
        var documents: [JSONValue] = []
        for step in steps { documents.append(try step.document()) }
        return ["name": .string(name), "version": .string(version), "steps": .array(documents)]
    }

    /// The step called `id`.
    public func step(_ id: String) -> Step? { steps.first { $0.id == id } }
}
