import Base
import Bundles
import Glibc
import Kernel

/// data/logs/: logs, as they were up to the size at which they were opened; what is not plain text keeps the end of its
/// name, such as `.gz`, because it is for other readers.
struct LogsItem {
    let logs: [PlannedLog]
    /// How many logs stand in data/logs/ before these.
    var after = 0
    let host: Host
    let copier: RawCopier
    let leases: LeaseWait

    private struct Leased {
        let number: Int
        let since: UInt64
    }

    func collect(log: CollectionLog) throws(Failure) {
        var leased: [Leased] = []
        for number in logs.indices {
            do throws(Failure) {
                try log.end(try collect(number))
            } catch {
                guard error.errno == EAGAIN else { throw error }
                leased.append(Leased(number: number, since: Deadline.monotonicNow()))
            }
            copier.meter.countObject()
        }
        for waiting in leased {
            let planned = logs[waiting.number].item
            try log.end(
                try leases.retry(since: waiting.since, planned) { () throws(Failure) in try collect(waiting.number) }
            )
        }
    }

    /// - Throws: what the bundle throws, and EAGAIN as long as a lease holds.
    private func collect(_ number: Int) throws(Failure) -> CollectionItem {
        let planned = logs[number]
        var item = planned.item
        item.facts = planned.facts
        if let failure = planned.failure { return item.failed(failure) }
        if let reason = planned.leftOut { return item.outside(reason) }
        if copier.meter.mustStop() { return item.skipped(copier.meter.stopWord) }
        return try collect(planned, to: try PayloadName("data/logs/\(after + number + 1)\(planned.ending)"), item)
    }

    private func collect(
        _ log: PlannedLog,
        to name: PayloadName,
        _ planned: CollectionItem
    ) throws(Failure) -> CollectionItem {
        let held: HeldFolder
        do throws(Failure) {
            held = try TreePlace(path: log.path, inside: log.inside).open(on: host)
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
