import Base
import Glibc
import Kernel

/// BPF objects: behind descriptors by what fdinfo tells, and pinned below bpffs by name. Nothing pinned is opened.
struct ParkedBPF {
    /// Names below all bpffs mounts of one namespace that are told.
    static let mostNames = 16_384
    private static let deepest = 32
    private static let kinds: Set<String> = ["bpf-map", "bpf-prog", "bpf_link", "bpf-link", "btf"]

    private struct Pinned: Sendable {
        var names: [BytePath] = []
        var gaps: [Failure] = []
    }

    private let parked: ParkedItem

    init(_ parked: ParkedItem) { self.parked = parked }

    func collect() throws(Failure) -> CollectionItem {
        var item = ParkedKind.bpf.item
        for special in parked.processes.parking.specials where ParkedBPF.kinds.contains(special.kind) {
            try parked.tell(.bpf, special.line)
        }
        for view in MountView.all(parked) {
            guard let table = view.table else {
                item = item.partial("mount namespace \(view.inode): its mounts could not be read")
                continue
            }
            for mount in table.entries where mount.type == "bpf" {
                try tell(mount, view, &item)
            }
        }
        return item
    }

    private func tell(_ mount: Mount, _ view: MountView, _ item: inout CollectionItem) throws(Failure) {
        let host = parked.host
        let pinned: Pinned
        do throws(Failure) {
            pinned = try parked.ask("list bpffs", on: "\(mount.mountPoint)") { () throws(Failure) in
                let process = try ProcessDirectory(view.pin, on: host)
                var found = Pinned()
                let root = try ParkedBPF.reach(mount.mountPoint, of: process, through: view.prefix)
                try ParkedBPF.list(root, BytePath(""), 0, &found)
                return found
            }
        } catch {
            item = item.missed("\(mount.mountPoint)", error)
            return
        }
        for name in pinned.names {
            var line = JSONObject()
            line["type"] = .string("pinned")
            line["mountNamespace"] = .integer(Int64(clamping: view.inode))
            line["mountPoint"] = mount.mountPoint.json
            line["path"] = name.json
            try parked.tell(.bpf, line)
        }
        for gap in pinned.gaps { item = item.missed("\(mount.mountPoint)", gap) }
    }

    /// Goes down from the root of a process, one name at a time, without following links.
    private static func reach(
        _ path: BytePath,
        of process: borrowing ProcessDirectory,
        through prefix: String
    ) throws(Failure) -> HeldFolder {
        var held = HeldFolder(try FileNode(prefix + "root", of: process))
        for name in path.bytes.split(separator: UInt8(ascii: "/")) {
            held = HeldFolder(try held.node.child(BytePath(Array(name))))
        }
        return held
    }

    private static func list(
        _ folder: HeldFolder,
        _ path: BytePath,
        _ depth: Int,
        _ found: inout Pinned
    ) throws(Failure) {
        let names = try folder.node.names(after: nil, limit: mostNames)
        for index in 0..<names.count {
            let name = names[index]
            guard found.names.count < mostNames, depth < deepest else {
                found.gaps.append(Failure(.refused, "list bpffs", on: "\(path)", because: "too much stands there"))
                return
            }
            let below = path.isEmpty ? name : path.appending(name)
            let child = HeldFolder(try folder.node.child(name))
            found.names.append(below)
            if child.node.facts.kind == .directory { try list(child, below, depth + 1, &found) }
        }
    }
}
