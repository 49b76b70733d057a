import Base
import Kernel
import Sessions

/// data/session.json: what was captured and as what it was named.
enum SessionDocument {
    static func value(_ request: CaptureRequest, _ host: Host, _ began: Instant) throws(Failure) -> JSONValue {
        var document = JSONObject()
        document["locator"] = request.locator.json
        document["profile"] = .string(request.profile.rawValue)
        document["began"] = .string("\(began)")
        document["pins"] = try JSONEncoding.value(of: request.pins)
        document["members"] = .array(
            request.subjects.map { subject in
                [
                    "pid": .integer(Int64(subject.pin.pid)),
                    "startTicks": .integer(Int64(clamping: subject.pin.startTicks)),
                    "membership": .string(subject.membership.rawValue),
                    "marks": .array(subject.marks.map(JSONValue.string)),
                ]
            }
        )
        document["frozenCgroups"] = try JSONEncoding.value(of: request.frozenCgroups)
        document["roots"] = .array(
            request.trees.map { tree in
                var line = JSONObject()
                line["name"] = .string(tree.name)
                line["path"] = tree.path.json
                line["insideOf"] = tree.inside.map { .integer(Int64($0.pid)) }
                if !tree.only.isEmpty { line["only"] = .array(tree.only.map(\.json)) }
                line["remark"] = tree.remark.map(JSONValue.string)
                return .object(line)
            }
        )
        document["ended"] = request.ended.map(JSONValue.string)
        document["container"] = request.container.map {
            ["runtime": .string($0.runtime.rawValue), "id": .string($0.id)]
        }
        document["logs"] = .array(request.logs.map(\.json))
        document["budgetBytes"] = request.budget.map { .string(String($0)) } ?? .null
        document["hostNotes"] = .array(host.notes.map(JSONValue.string))
        return .object(document)
    }
}
