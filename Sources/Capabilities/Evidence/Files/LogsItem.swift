import Base
import Bundles
import Kernel

/// data/logs/: logs that the inventory or the responder named, as they were up to the size at which they were opened.
struct LogsItem {
    let paths: [BytePath]
    let copier: RawCopier

    func collect(log: CollectionLog) throws(Failure) {
        for (number, path) in paths.enumerated() {
            var item = CollectionItem(.log, path: path)
            if copier.meter.mustStop() {
                item = item.skipped("cancelled")
            } else {
                item = try collect(path, to: try PayloadName("data/logs/\(number + 1)"), item)
            }
            try log.end(item)
            copier.meter.countObject()
        }
    }

    private func collect(
        _ path: BytePath,
        to name: PayloadName,
        _ planned: CollectionItem
    ) throws(Failure) -> CollectionItem {
        let held: HeldFolder
        do throws(Failure) {
            held = HeldFolder(try FileNode.at(path))
        } catch {
            return planned.failed(error)
        }
        // RT24: a session that can write the log's folder could have linked another's file to the log's name.
        let facts = held.node.facts
        if facts.kind == .file, facts.links > 1 {
            var item = planned
            item.facts = facts
            return item.skipped("it has \(facts.links) names and may be another's file: metadata only")
        }
        return try copier.copy(held.node, to: name, grows: true, planned)
    }
}
