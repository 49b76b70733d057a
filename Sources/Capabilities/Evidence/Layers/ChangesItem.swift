import Base
import Bundles
import Kernel

/// data/changes.jsonl: what a container added, changed, deleted, replaced of its image, from a verified upper layer and the
/// layers below it.
struct ChangesItem {
    let changes: PlannedChanges
    let host: Host
    let meter: CaptureMeter

    func collect(to writer: BundleWriter, log: CollectionLog, budget: CaptureBudget) throws(Failure) {
        let planned = CollectionItem(.changes)
        switch changes {
        case .notPossible(let reason): try log.end(planned.outside(reason))
        case .compare(let upper, let lowers):
            try log.end(try compare(upper, lowers, planned, writer, budget))
        }
    }

    private func compare(
        _ upper: PlannedTree,
        _ lowers: [BytePath],
        _ planned: CollectionItem,
        _ writer: BundleWriter,
        _ budget: CaptureBudget
    ) throws(Failure) -> CollectionItem {
        var item = planned
        item.path = upper.path
        let layers: LowerLayers
        do throws(Failure) {
            layers = try LowerLayers(lowers)
            _ = try upper.open(on: host)
        } catch {
            return item.failed(error)
        }
        let stream = try writer.stream(try PayloadName("data/changes.jsonl"))
        let comparison = LayerComparison(layers, into: stream, budget: budget, meter: meter)
        var problem: Failure?
        do throws(Failure) {
            try TreeWalker(upper, on: host).walk(comparison)
        } catch {
            problem = error
        }
        item.member = stream.name.text
        item.digest = try stream.close().digest
        if let problem { return item.partial(problem.reason, errno: problem.errno) }
        if let reason = comparison.stopReason { return item.partial(reason) }
        if comparison.misses > 0 {
            return item.partial(
                "\(comparison.misses) objects were not compared, the first \(comparison.firstMiss ?? "")"
            )
        }
        return item
    }
}
