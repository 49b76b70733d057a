public import Base
import Bundles
public import Kernel

/// What is mounted into a session from a filesystem that the host has, too: a volume or a bind mount. It is told; what it
/// can write and nobody else uses is a tree as well.
public struct PlannedVolume: Hashable, Sendable {
    /// The mount, as the session sees it.
    public let mount: Mount
    /// Where the host has the same directory; `nil` when it has it nowhere.
    public let source: BytePath?
    /// The root under which its files are; `nil` when they are not taken.
    var tree: String?
    /// Why they are not.
    var leftOut: String?

    init(mount: Mount, source: BytePath?) {
        self.mount = mount
        self.source = source
    }

    static func write(
        _ volumes: [PlannedVolume],
        lacking: [String],
        to writer: BundleWriter,
        log: CollectionLog,
        budget: CaptureBudget
    ) throws(Failure) {
        let stream = try writer.stream(try PayloadName("data/volumes.jsonl"))
        var item = CollectionItem(.volumes)
        if !lacking.isEmpty { item = item.partial(lacking.joined(separator: "; ")) }
        item.member = stream.name.text
        for volume in volumes {
            let bytes = CanonicalJSON.bytes(of: volume.line) + [UInt8(ascii: "\n")]
            guard budget.take(UInt64(bytes.count)) else {
                item = item.partial((item.reason.map { $0 + "; " } ?? "") + "over the budget")
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
        line["tree"] = tree.map(JSONValue.string)
        line["notTaken"] = leftOut.map(JSONValue.string)
        return .object(line)
    }
}
