import Base
import Bundles
import Kernel

/// data/mounts.jsonl: what each distinct mount namespace of the session sees, from /proc/PID/mountinfo. Mount options
/// are text that a session may have chosen (RT10): they are recorded and never followed.
struct MountsItem {
    let processes: ProcessesItem
    let host: Host
    let reader: ImpatientReader

    func collect(to writer: BundleWriter, log: CollectionLog, budget: CaptureBudget) throws(Failure) {
        let name = try PayloadName("data/mounts.jsonl")
        let stream = try writer.stream(name)
        var item = CollectionItem(.mounts)
        item.member = name.text
        var failed = 0
        for space in processes.mountNamespaces {
            let table: MountTable
            do throws(Failure) {
                let cut: Failure?
                (table, cut) = try read(space.pin, space.prefix)
                if let cut { item = item.partial("mount namespace \(space.inode): \(cut)") }
            } catch {
                failed += 1
                item = item.partial("mount namespace \(space.inode): \(error)", errno: error.errno)
                continue
            }
            if table.malformedLines > 0 { item = item.partial("\(table.malformedLines) lines are of no known form") }
            for mount in table.entries {
                let bytes = CanonicalJSON.bytes(of: line(of: mount, in: space)) + [UInt8(ascii: "\n")]
                guard budget.take(UInt64(bytes.count)) else {
                    item = item.partial("over the budget")
                    break
                }
                try stream.append(bytes)
            }
        }
        try stream.close()
        if failed > 0, failed == processes.mountNamespaces.count { item.outcome = .failed }
        try log.end(processes.judge(item))
    }

    /// The mounts, and that there are more.
    private func read(_ pin: ProcessPin, _ prefix: String) throws(Failure) -> (MountTable, Failure?) {
        let host = self.host
        return try reader.ask("read the mounts", on: "\(pin.pid)") { () throws(Failure) in
            let (bytes, cut) = try ProcessDirectory(pin, on: host).bounded(prefix + "mountinfo", limit: MountView.most)
            return (MountTable(parsing: bytes), cut)
        }
    }

    private func line(of mount: Mount, in space: (inode: UInt64, pin: ProcessPin, prefix: String)) -> JSONValue {
        [
            "namespace": .integer(Int64(clamping: space.inode)),
            "seenBy": .integer(Int64(space.pin.pid)),
            "id": .integer(Int64(mount.id)),
            "parent": .integer(Int64(mount.parent)),
            "device": .string(mount.device),
            "root": mount.root.json,
            "mountPoint": mount.mountPoint.json,
            "options": .array(mount.options.map(JSONValue.string)),
            "type": .string(mount.type),
            "source": mount.source.json,
            "superOptions": mount.superOptionsBytes.json,
        ]
    }
}
