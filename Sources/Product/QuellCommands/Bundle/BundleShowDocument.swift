import Base
import Bundles
import Evidence
import Response

/// What `quell bundle show --json` prints.
enum BundleShowDocument {
    static func value(
        _ bundle: VerifiedBundle,
        _ review: BundleReview,
        _ imported: ImportRecord?
    ) throws(Failure) -> JSONValue {
        [
            "root": .string(bundle.root.hex), "signer": .string(bundle.signerWords),
            "collectedByQuell": .bool(imported == nil),
            "untrustedImport": try imported.map { record throws(Failure) in try JSONEncoding.value(of: record) }
                ?? .null,
            "untrustedStatement": try JSONEncoding.value(of: bundle.statement),
            "files": .integer(Int64(bundle.payload.count)),
            "bytes": .integer(Int64(clamping: bundle.payload.reduce(UInt64(0)) { $0 + $1.size })),
            "roots": .array(review.roots.map(root)), "processes": .integer(Int64(review.processCount)),
            "untrustedProcesses": .array(review.processes.map(process)),
            "sockets": .integer(Int64(review.socketCount)), "untrustedSockets": .array(review.sockets.map(socket)),
            "missing": .integer(Int64(review.missingCount)), "untrustedMissing": .array(review.missing.map(missing)),
            "untrustedEnvironmentNames": .array(review.environmentNames.map(JSONValue.string)),
            "exit": .integer(Int64(bundle.outcome.rawValue)),
        ]
    }

    private static func root(_ root: RootTally) -> JSONValue {
        var kinds = JSONObject()
        for (kind, count) in root.kinds.sorted(by: { $0.key < $1.key }) { kinds[kind] = .integer(Int64(count)) }
        return [
            "name": .string(root.name), "kinds": .object(kinds), "bytes": .integer(Int64(clamping: root.bytes)),
            "packedBytes": .integer(Int64(clamping: root.compressed)),
            "withoutContent": .integer(Int64(root.withoutContent)),
        ]
    }

    private static func process(_ process: SeenProcess) -> JSONValue {
        var line = JSONObject()
        line["pid"] = .integer(process.key.pid)
        line["startTicks"] = .integer(process.key.startTicks)
        line["parent"] = process.parent.map { .integer($0) }
        line["uid"] = process.uid.map { .integer($0) }
        line["name"] = .string(process.name)
        line["arguments"] = .string(process.arguments)
        line["executable"] = .string(process.executable)
        line["membership"] = .string(process.membership)
        return .object(line)
    }

    private static func socket(_ socket: SeenSocket) -> JSONValue {
        var line = JSONObject()
        line["transport"] = .string(socket.transport)
        line["state"] = .string(socket.state)
        line["local"] = .string(socket.local)
        line["remote"] = .string(socket.remote)
        line["holders"] = .array(socket.holders.map { .integer($0) })
        line["sent"] = socket.sent.map { .integer($0) }
        line["received"] = socket.received.map { .integer($0) }
        return .object(line)
    }

    private static func missing(_ thing: BundleReview.Missing) -> JSONValue {
        [
            "item": .string(thing.item), "place": .string(thing.place), "outcome": .string(thing.outcome),
            "reason": .string(thing.reason),
        ]
    }
}
