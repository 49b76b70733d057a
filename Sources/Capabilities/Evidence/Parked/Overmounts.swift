import Base
import CParked
import Glibc
import Kernel

/// Mounts that stand on a directory, and what that hides. In Quell's own mount namespace the hidden directory is looked
/// at through a clone of the mount below; in others, which Quell does not enter (RT38), it is told that nobody looked.
struct Overmounts {
    /// Names of one hidden directory that are told.
    static let mostNames = 64
    /// Filesystems without content of their own at the places where every runtime puts them: over empty directories.
    private static let customary: Set<String> = [
        "proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "devtmpfs", "debugfs", "tracefs", "securityfs", "bpf",
        "pstore", "hugetlbfs", "binfmt_misc", "fusectl", "configfs", "efivarfs", "tmpfs", "autofs",
    ]
    private static let places = ["/proc", "/sys", "/dev", "/run"]
    /// Places where only the mount itself is customary, and none below it.
    private static let temporary = ["/tmp", "/var/tmp"]

    /// What a mount hides.
    enum Hidden: Sendable {
        /// It stands on a file, on nothing, or on itself.
        case nothing
        case names([BytePath], leftOut: Int)
    }

    private let parked: ParkedItem

    init(_ parked: ParkedItem) { self.parked = parked }

    func collect() throws(Failure) -> CollectionItem {
        var item = ParkedKind.overmounts.item
        let own = ParkedItem.ownSpace(.mount, on: parked.host)
        for view in MountView.all(parked) {
            if let gap = view.gap {
                item = item.partial("mount namespace \(view.inode): \(gap.reason)", errno: gap.errno)
            }
            guard let table = view.table else { continue }
            let byID = Dictionary(table.entries.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            for mount in table.entries {
                guard let below = byID[mount.parent], below.id != mount.id else { continue }
                try judge(mount, over: below, view, isOwn: own == view.inode, &item)
            }
        }
        return item
    }

    private func judge(
        _ mount: Mount,
        over below: Mount,
        _ view: MountView,
        isOwn: Bool,
        _ item: inout CollectionItem
    ) throws(Failure) {
        // Hosts and runtimes mount these over what an image has there, some of them twice. It is told and not read, and does
        // not make every capture on such a host partial.
        let isUsual = Overmounts.isCustomary(mount) || Overmounts.isOfRuntime(mount)
        var line = JSONObject()
        line["mountNamespace"] = .integer(Int64(clamping: view.inode))
        line["mountPoint"] = mount.mountPoint.json
        line["type"] = .string(mount.type)
        line["over"] = .string(below.type)
        if mount.mountPoint == below.mountPoint {
            line["hides"] = .string("the whole mount below it")
            try parked.tell(.overmounts, line)
            if isUsual, Overmounts.isCustomary(below) { return }
            item = item.partial("\(mount.mountPoint): a mount of \(below.type) lies under another and is not read")
            return
        }
        guard isOwn else {
            line["hides"] = .string("not looked at")
            try parked.tell(.overmounts, line)
            if isUsual { return }
            item = item.partial("\(mount.mountPoint): what it hides is in a mount namespace that Quell does not enter")
            return
        }
        let hidden: Hidden
        do throws(Failure) {
            hidden = try parked.ask("look under a mount", on: "\(mount.mountPoint)") { () throws(Failure) in
                try Overmounts.look(under: mount, below)
            }
        } catch {
            line["hides"] = .string("not looked at: \(error.reason)")
            try parked.tell(.overmounts, line)
            if isUsual { return }
            item = item.missed("\(mount.mountPoint)", error)
            return
        }
        guard case .names(let names, let leftOut) = hidden, !names.isEmpty else { return }
        line["hides"] = .array(names.map(\.json))
        if leftOut > 0 { line["namesLeftOut"] = .integer(Int64(leftOut)) }
        try parked.tell(.overmounts, line)
        if isUsual { return }
        let more = leftOut > 0 ? ", and \(leftOut) of its names are not told" : ""
        item = item.partial("\(mount.mountPoint) hides a directory with content that is not read\(more)")
    }

    /// By type and place. A session that mounts one of these elsewhere is told of.
    static func isCustomary(_ mount: Mount) -> Bool {
        guard customary.contains(mount.type), let path = mount.mountPoint.text else { return false }
        return temporary.contains(path) || places.contains { path == $0 || path.hasPrefix($0 + "/") }
    }

    /// Whether it stands on a single file that container runtimes put into every container.
    static func isOfRuntime(_ mount: Mount) -> Bool {
        ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/run/.containerenv"].contains(mount.mountPoint.text)
    }

    /// What lies at the place of `mount` in the mount below it.
    static func look(under mount: Mount, _ below: Mount) throws(Failure) -> Hidden {
        let path = mount.mountPoint
        let clone = below.mountPoint.withCString { quell_parked_clone_mount($0) }
        guard clone >= 0 else { throw Failure(errno: errno, "look under the mount", on: path) }
        let tree = Descriptor(adopting: clone)
        let stem = below.mountPoint.bytes == [UInt8(ascii: "/")] ? 0 : below.mountPoint.bytes.count
        let relative = BytePath(Array(path.bytes.dropFirst(stem).drop { $0 == UInt8(ascii: "/") }))
        // A folder bound onto itself, as podman does with its storage, shows what it hides.
        let root = below.root.bytes == [UInt8(ascii: "/")] ? BytePath([]) : below.root
        if mount.device == below.device, mount.root == BytePath(root.bytes + [UInt8(ascii: "/")] + relative.bytes) {
            return .nothing
        }
        let opened = relative.withCString { quell_parked_beneath(tree.number, $0) }
        if opened < 0, errno == ENOTDIR { return .nothing }
        guard opened >= 0 else { throw Failure(errno: errno, "look under the mount", on: path) }
        let folder = Descriptor(adopting: opened)
        var facts = stat()
        guard fstat(folder.number, &facts) == 0 else { throw Failure(errno: errno, "look under the mount", on: path) }
        let device = "\(major(facts.st_dev)):\(minor(facts.st_dev))"
        guard device == below.device else {
            throw Failure(
                .changed,
                "look under the mount",
                on: "\(path)",
                because: "another mount covers the one below"
            )
        }
        var names: [BytePath] = []
        var leftOut = 0
        try folder.forEachEntry(of: path) { name, _ throws(Failure) in
            if names.count < mostNames { names.append(BytePath(name)) } else { leftOut += 1 }
        }
        return .names(names, leftOut: leftOut)
    }

    /// Numbers of a device. Source: bits/sysmacros.h.
    private static func major(_ device: dev_t) -> UInt64 {
        let number = UInt64(device)
        return (number >> 8 & 0xfff) | (number >> 32 & ~0xfff)
    }

    private static func minor(_ device: dev_t) -> UInt64 {
        let number = UInt64(device)
        return (number & 0xff) | (number >> 12 & ~0xff)
    }
}
