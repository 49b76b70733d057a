public import Base
import Documents
import Engine
import Sealing

extension PlaybookDocument {
    /// SHA-256 of the canonical form: the same for two files that differ only in comments, spacing, quotes, the order of
    /// keys, and defaults written out.
    public var digest: Digest { SHA256.digest(of: CanonicalJSON.bytes(of: canonical)) }

    /// The playbook as one JSON value with every default written out.
    var canonical: JSONValue {
        [
            "playbook": .string(name),
            "version": .string(version),
            "title": .string(title),
            "maps": .array(maps.map { .string($0) }),
            "parameters": .array(parameters.map(\.canonical)),
            "steps": .array(steps.map(\.canonical)),
        ]
    }
}

extension PlaybookParameter {
    fileprivate var canonical: JSONValue {
        [
            "name": .string(name),
            "type": .string(kind.rawValue),
            "required": .bool(isRequired),
            "default": defaultValue ?? .null,
        ]
    }
}

extension PlaybookStep {
    fileprivate var canonical: JSONValue {
        var inputs = JSONObject()
        for entry in with { inputs[entry.key] = entry.value.plainJSON }
        return [
            "id": .string(id.value),
            "action": .string(action.value),
            "with": .object(inputs),
            "needs": .array(needs.map { .string($0.value) }),
            "after": .array(after.map { .string($0.value) }),
            "when": when.map { .string($0.text) } ?? .null,
            "timeout": timeout.map { .integer($0.wholeNanoseconds) } ?? .null,
            "retry": .integer(Int64(retries)),
            "onFailure": .string(onFailure.rawValue),
        ]
    }
}
