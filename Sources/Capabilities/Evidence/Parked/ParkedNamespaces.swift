import Base
import Kernel

/// Namespaces that something of the session holds and in which none of its processes stands. Network and IPC namespaces
/// behind descriptors are read with the others; the inside of any other kind is not.
struct ParkedNamespaces {
    /// The words before `:[` in links of namespace descriptors.
    static let kinds = ["mnt", "pid", "net", "user", "ipc", "uts", "cgroup", "time"]
    private static let readElsewhere: Set<String> = ["net", "ipc"]
    /// Kinds that hold nothing that outlives their processes but numbers and names.
    private static let empty: Set<String> = ["pid", "user", "uts", "cgroup", "time"]

    private let parked: ParkedItem

    init(_ parked: ParkedItem) { self.parked = parked }

    func collect() throws(Failure) -> CollectionItem {
        var item = ParkedKind.namespaces.item
        let parking = parked.processes.parking
        var known: Set<String> = []
        for (kind, space) in parking.heldSpaces {
            let isLived = parking.memberSpaces[kind]?.contains(space.inode) ?? false
            var line = JSONObject()
            line["pid"] = .integer(Int64(space.pin.pid))
            line["startTicks"] = .integer(Int64(clamping: space.pin.startTicks))
            line["link"] = .string(space.link)
            line["type"] = .string(kind)
            line["namespace"] = .integer(Int64(clamping: space.inode))
            line["hasMember"] = .bool(isLived)
            try parked.tell(.namespaces, line)
            known.insert("\(kind):[\(space.inode)]")
            if !isLived, !ParkedNamespaces.readElsewhere.contains(kind), !ParkedNamespaces.empty.contains(kind) {
                item = item.partial(
                    "\(kind) namespace \(space.inode) is held by a descriptor alone and not looked into"
                )
            }
        }
        if parking.heldSpacesLeftOut > 0 {
            item = item.partial("\(parking.heldSpacesLeftOut) descriptors of namespaces are not listed")
        }
        for view in MountView.all(parked) {
            if let gap = view.gap {
                item = item.partial("mount namespace \(view.inode): \(gap.reason)", errno: gap.errno)
            }
            guard let table = view.table else { continue }
            for mount in table.entries where mount.type == "nsfs" {
                try tell(mount, view, known, &item)
            }
        }
        return item
    }

    private func tell(
        _ mount: Mount,
        _ view: MountView,
        _ known: Set<String>,
        _ item: inout CollectionItem
    ) throws(Failure) {
        var line = JSONObject()
        line["type"] = .string("mounted")
        line["mountNamespace"] = .integer(Int64(clamping: view.inode))
        line["mountPoint"] = mount.mountPoint.json
        line["root"] = mount.root.json
        try parked.tell(.namespaces, line)
        let name = mount.root.text ?? ""
        let kind = String(name.prefix { $0 != ":" })
        let inode = UInt64(name.dropFirst(kind.count + 2).dropLast()) ?? 0
        let isLived = parked.processes.parking.memberSpaces[kind]?.contains(inode) ?? false
        if !isLived, !known.contains(name), !ParkedNamespaces.empty.contains(kind) {
            item = item.partial("namespace \(name) is held by the mount \(mount.mountPoint) alone and not looked into")
        }
    }
}
