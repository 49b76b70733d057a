import Base
import Kernel

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
            request.trees.map { ["name": .string($0.name), "path": $0.path.json] }
        )
        document["logs"] = .array(request.logs.map(\.json))
        document["budgetBytes"] = request.budget.map { .string(String($0)) } ?? .null
        document["hostNotes"] = .array(host.notes.map(JSONValue.string))
        return .object(document)
    }
}
