import Base
import Bundles
import Glibc
import Kernel

/// data/logs/: logs that the inventory or the responder named, as they were up to the size at which they were opened.
struct LogsItem {
    let paths: [BytePath]
    let copier: RawCopier
    let leases: LeaseWait

    private struct Leased {
        let number: Int
        let since: UInt64
    }

    func collect(log: CollectionLog) throws(Failure) {
        var leased: [Leased] = []
        for number in paths.indices {
            do throws(Failure) {
                try log.end(try collect(number))
            } catch {
                guard error.errno == EAGAIN else { throw error }
                leased.append(Leased(number: number, since: Deadline.monotonicNow()))
            }
            copier.meter.countObject()
        }
        for waiting in leased {
            let planned = CollectionItem(.log, path: paths[waiting.number])
            try log.end(
                try leases.retry(since: waiting.since, planned) { () throws(Failure) in try collect(waiting.number) }
            )
        }
    }

    /// - Throws: what the bundle throws, and EAGAIN as long as a lease holds.
    private func collect(_ number: Int) throws(Failure) -> CollectionItem {
        let item = CollectionItem(.log, path: paths[number])
        if copier.meter.mustStop() { return item.skipped("cancelled") }
        return try collect(paths[number], to: try PayloadName("data/logs/\(number + 1)"), item)
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
