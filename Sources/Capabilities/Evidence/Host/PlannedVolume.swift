public import Base
import Bundles
public import Kernel

/// What is mounted into a session from a filesystem that the host has, too: a volume or a bind mount. It is told and not
/// read: others may use it.
public struct PlannedVolume: Hashable, Sendable {
    /// The mount, as the session sees it.
    public let mount: Mount
    /// Where the host has the same directory; `nil` when it has it nowhere.
    public let source: BytePath?

    static func write(
        _ volumes: [PlannedVolume],
        to writer: BundleWriter,
        log: CollectionLog,
        budget: CaptureBudget
    ) throws(Failure) {
        let stream = try writer.stream(try PayloadName("data/volumes.jsonl"))
        var item = CollectionItem(.volumes)
        item.member = stream.name.text
        for volume in volumes {
            let bytes = CanonicalJSON.bytes(of: volume.line) + [UInt8(ascii: "\n")]
            guard budget.take(UInt64(bytes.count)) else {
                item = item.partial("over the budget")
                break
            }
            try stream.append(bytes)
        }
        item.digest = try stream.close().digest
        try log.end(item)
    }

    private var line: JSONValue {
        var line = JSONObject()
        line["mountPoint"] = mount.mountPoint.json
        line["type"] = .string(mount.type)
        line["device"] = .string(mount.device)
        line["directoryOfDevice"] = mount.root.json
        line["options"] = .array(mount.options.map(JSONValue.string))
        line["hostPath"] = source?.json
        return .object(line)
    }
}
