import Base
import Bundles
import Kernel

/// One root: counted, archived, counted again.
struct TreeItem {
    let tree: PlannedTree
    let host: Host
    let writer: BundleWriter
    let log: CollectionLog
    let budget: CaptureBudget
    let meter: CaptureMeter
    let vault: SecretVault
    let leasePatience: Duration
    let opened: (BytePath) -> Void

    /// Archives the root and ends its item.
    ///
    /// - Returns: why the tree did not stand still, or `nil` when it did.
    /// - Throws: what the bundle throws. Whatever is wrong with the tree is told in its item.
    func collect() throws(Failure) -> String? {
        var whole = CollectionItem(.tree, root: tree.name, path: tree.path)
        if let lost = tree.lost {
            try log.end(whole.failed(lost))
            return nil
        }
        if let reason = tree.leftOut {
            try log.end(whole.outside(reason))
            return nil
        }
        if meter.mustStop() {
            try log.end(whole.skipped(meter.stopWord))
            return nil
        }
        let before: TreeCensus
        let walker = TreeWalker(tree, on: host)
        let top: HeldFolder
        do throws(Failure) {
            before = try census()
            // The process through which the path leads may end while the tree is counted.
            top = try walker.takeHold()
        } catch {
            try log.end(whole.failed(error))
            return nil
        }
        meter.enter(tree.name, expectedBytes: before.contentBytes)
        let archive = try writer.archive(root: tree.name)
        let collector = TreeCollector(
            tree,
            on: host,
            into: archive,
            census: before,
            log: log,
            budget: budget,
            meter: meter,
            vault: vault,
            opened: opened
        )
        try walker.walk(collector, from: top)
        try collector.collectLeased(patience: leasePatience)
        try archive.close()
        whole.member = "data/files/\(tree.name).pax.zst"
        if let reason = collector.stopReason {
            whole = whole.partial("\(reason): not everything below it was reached")
        }
        let moved = difference(before)
        if let moved, whole.reason == nil { whole.reason = moved }
        if let remark = tree.remark { whole.reason = [remark, whole.reason].compactMap { $0 }.joined(separator: "; ") }
        try log.end(whole)
        return moved
    }

    private func census() throws(Failure) -> TreeCensus {
        try TreeCensus.take(of: tree, on: host) { meter.mustStop() }
    }

    private func difference(_ before: TreeCensus) -> String? {
        if meter.mustStop() { return nil }
        do throws(Failure) {
            let after = try census()
            if after.wasStopped || after.fingerprint == before.fingerprint { return nil }
            return "\(tree.name) changed while it was collected: \(before.objects) objects, then \(after.objects)"
        } catch {
            return "\(tree.name) could not be counted again: \(error)"
        }
    }
}
