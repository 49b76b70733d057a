public import Base
import Documents
public import Engine

/// Reads `policy.yaml`, which says what needs whose approval:
///
///     approvals:
///       - actions: [thaw, release]
///         approvers: 1
///         role: lead
///         within: 30m
///       - natures: [destroys]
///         approvers: 2
///         role: lead
///         requester: may-approve
///
/// Every rule that binds an action has to be satisfied. `within` is how long an approval may be used after it was asked
/// for, an hour unless told; who asked may not approve it unless told. What only contains never needs approval, and a rule
/// about it is refused.
public enum PolicyDocument {
    private static let ruleKeys = ["actions", "natures", "approvers", "role", "within", "requester"]
    private static let natures: [Nature] = [.reads, .alters, .destroys]

    /// The rules of a file.
    ///
    /// - Throws: `malformed` with file, line and column, and the fix.
    public static func parse(
        _ bytes: [UInt8],
        named file: BytePath,
        actions: KnownActions
    ) throws(Failure) -> Policy {
        let mapping = try YAMLReader.read(bytes, named: file).mapping(known: ["approvals"])
        var rules: [Policy.Rule] = []
        for item in try mapping.required("approvals").list() { rules.append(try rule(item, actions)) }
        return Policy(rules)
    }

    private static func rule(_ document: Document, _ actions: KnownActions) throws(Failure) -> Policy.Rule {
        let mapping = try document.mapping(known: ruleKeys)
        var names: Set<String> = []
        for item in try mapping["actions"]?.list() ?? [] { names.insert(try action(item, actions)) }
        var natures: Set<Nature> = []
        for item in try mapping["natures"]?.list() ?? [] { natures.insert(try nature(item)) }
        guard !names.isEmpty || !natures.isEmpty else {
            throw document.place.failure(
                "the rule binds nothing",
                fix: "add \"actions: [thaw]\" or \"natures: [destroys]\""
            )
        }
        return Policy.Rule(
            actions: names,
            natures: natures,
            need: ApprovalNeed(
                try mapping.required("approvers").int(in: 1...16),
                of: try mapping.required("role").word(),
                mayBeRequester: try mayBeRequester(mapping["requester"])
            ),
            within: try within(mapping["within"])
        )
    }

    private static func action(_ document: Document, _ actions: KnownActions) throws(Failure) -> String {
        let name = try document.string()
        guard let descriptor = actions[name] else {
            let bound = actions.names.filter { actions[$0]?.nature != .contains }
            throw document.place.failure(
                "there is no action \"\(name)\"",
                fix: NearestWord.fix(for: name, among: bound, plural: "actions")
            )
        }
        guard descriptor.nature != .contains else {
            throw document.place.failure(
                "\(name) contains, and what contains never waits for anybody",
                fix: "remove \"\(name)\""
            )
        }
        return name
    }

    private static func nature(_ document: Document) throws(Failure) -> Nature {
        let word = try document.string()
        if word == Nature.contains.rawValue {
            throw document.place.failure(
                "what contains never waits for anybody",
                fix: "remove \"contains\""
            )
        }
        guard let nature = natures.first(where: { $0.rawValue == word }) else {
            let fix = NearestWord.fix(for: word, among: natures.map(\.rawValue), plural: "natures")
            throw document.place.failure("there is no nature \"\(word)\"", fix: fix)
        }
        return nature
    }

    private static func mayBeRequester(_ document: Document?) throws(Failure) -> Bool {
        guard let document else { return false }
        switch try document.string() {
        case "may-approve": return true
        case "may-not-approve": return false
        default: throw document.expected("\"may-approve\" or \"may-not-approve\"")
        }
    }

    private static func within(_ document: Document?) throws(Failure) -> Duration {
        guard let document else { return .seconds(3600) }
        let span = try document.duration()
        guard span > .zero, span <= .seconds(7 * 86_400) else {
            throw document.expected("a duration above zero and of at most 168h")
        }
        return span
    }
}
