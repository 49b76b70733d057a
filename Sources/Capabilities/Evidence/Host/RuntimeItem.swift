import Base
import Bundles
import Sessions

/// data/runtime/: what a runtime keeps on disk of the container: configuration, state, the rows of its tables, its image
/// with the digests. Values that look like secrets are replaced by handles.
struct RuntimeItem {
    let container: ContainerFiles
    /// For handles of what is withheld.
    let digest: SecretDigest

    /// How many items it ends.
    static func count(_ container: ContainerFiles) -> Int {
        container.records.count + container.failures.count + (container.isAttributed ? 1 : 0)
    }

    func collect(to writer: BundleWriter, log: CollectionLog, budget: CaptureBudget) throws(Failure) {
        var withheld = SecretText(digest)
        var names: [String: Int] = [:]
        for record in container.records {
            let count = names[record.name, default: 0] + 1
            names[record.name] = count
            let name = try PayloadName("data/runtime/\(record.name)\(count == 1 ? "" : "-\(count)").json")
            let before = withheld.count
            let value = withheld.redact(record.value)
            var item = CollectionItem(.runtime, path: record.source)
            if withheld.count > before {
                item.reason = "\(withheld.count - before) values that look like secrets are kept as handles"
            }
            try log.end(try write(value, to: name, item, writer, budget))
        }
        for failure in container.failures {
            try log.end(CollectionItem(.runtime, path: BytePath(failure.subject)).failed(failure))
        }
        guard container.isAttributed else { return }
        let name = try PayloadName("data/runtime/digests.json")
        try log.end(try write(digests, to: name, CollectionItem(.runtime), writer, budget))
    }

    private func write(
        _ value: JSONValue,
        to name: PayloadName,
        _ planned: CollectionItem,
        _ writer: BundleWriter,
        _ budget: CaptureBudget
    ) throws(Failure) -> CollectionItem {
        let bytes = CanonicalJSON.bytes(of: value) + [UInt8(ascii: "\n")]
        guard budget.take(UInt64(bytes.count)) else { return planned.skipped("over the budget: \(bytes.count) bytes") }
        var item = planned
        item.digest = try writer.write(name, bytes).digest
        item.member = name.text
        return item
    }

    /// Container, image, base: the ids and digests by which others know them, topmost layer first.
    private var digests: JSONValue {
        func record(_ name: String) -> JSONValue? { container.records.first { $0.name == name }?.value }
        var document = JSONObject()
        document["runtime"] = .string(container.runtime.rawValue)
        document["container"] = .string(container.id)
        document["driver"] = .string(container.driver)
        document["layer"] = container.layer?.json
        document["lowerLayers"] = .array(container.lowers.map(\.json))
        let image = record("image")
        document["imageID"] = record("container")?["image"] ?? record("container")?["Image"]
        document["imageDigest"] = image?["digest"]
        document["imageNames"] = image?["names"] ?? image
        document["diffIDs"] = record("image-config")?["rootfs"]?["diff_ids"]
        document["layers"] = .array(
            (record("layers")?.array ?? []).map { row in
                var line = JSONObject()
                for key in ["id", "parent", "diff-digest", "compressed-diff-digest", "created"] { line[key] = row[key] }
                return .object(line)
            }
        )
        return .object(document)
    }
}
