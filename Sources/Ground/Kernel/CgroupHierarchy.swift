internal import Base
internal import CLinux
internal import Glibc

/// One cgroup hierarchy: the unified one or a v1 hierarchy.
public struct CgroupHierarchy: Sendable {
    /// `v2`, or `v1:` and the controllers as the second field of /proc/PID/cgroup has them, such as `v1:freezer`.
    public let name: String
    /// The root directory.
    public let root: SharedDescriptor
    /// How Quell came to it.
    public let window: Window

    /// Whether this is the unified hierarchy.
    public var isUnified: Bool { name == "v2" }

    init(name: String, root: consuming Descriptor, window: Window) {
        self.name = name
        self.root = SharedDescriptor(root)
        self.window = window
    }

    /// A recorded hierarchy, or `nil` when the directory does not exist.
    init?(recordedAt directory: BytePath, name: String) throws(Failure) {
        do throws(Failure) {
            let root = try Descriptor(opening: directory, O_RDONLY | O_DIRECTORY)
            self.init(name: name, root: root, window: .recorded)
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }
}

/// Finds the hierarchies that exist, without ever creating one: a v1 hierarchy is mounted only when /proc/self/cgroup
/// already has a line for it, and cgroup2 is cloned, or mounted with the options that it has, because a mount without
/// them would take `nsdelegate` and its like away from the whole machine (kernel: apply_cgroup_root_flags).
struct HierarchyFinder {
    private let proc: SharedDescriptor
    private let lines: [CgroupLine]

    /// Where cgroup2 stands on every machine that systemd made or that looks like one. Only a place to look: what is found
    /// there is believed by its type and inode alone.
    private static let usualPlaces = [BytePath("/sys/fs/cgroup/unified"), BytePath("/sys/fs/cgroup")]

    init(proc: SharedDescriptor) throws(Failure) {
        self.proc = proc
        let cgroupPath = BytePath("self/cgroup")
        let cgroup = try proc.descriptor.open(cgroupPath, O_RDONLY, to: "read the own cgroups")
        lines = CgroupLine.parse(try cgroup.readToEnd(from: cgroupPath))
    }

    /// The mounts of cgroup hierarchies. Read only where something is not at its usual place: that takes a tenth of what
    /// comes before a freeze. A table that cannot be read has none, which is told.
    private func mounts(_ notes: inout [String]) -> [Mount] {
        do throws(Failure) {
            let path = BytePath("self/mountinfo")
            let mountinfo = try proc.descriptor.open(path, O_RDONLY, to: "read the mount table")
            return MountTable(cgroupsIn: try mountinfo.readToEnd(from: path)).entries
        } catch {
            notes.append("the mount table could not be read: \(error.reason)")
            return []
        }
    }

    func unified(_ notes: inout [String]) -> CgroupHierarchy? {
        guard lines.contains(where: { $0.hierarchy == "v2" }) else {
            notes.append("this kernel has no unified cgroup hierarchy")
            return nil
        }
        for place in HierarchyFinder.usualPlaces {
            guard let clone = WindowMaker.cloneOfUnified(at: place) else { continue }
            return CgroupHierarchy(name: "v2", root: clone, window: .own)
        }
        let seen = mounts(&notes).first { $0.type == "cgroup2" && $0.root == BytePath("/") }
        guard let seen else {
            notes.append("cgroup2 is not mounted here, and its options are not known")
            return nil
        }
        if let clone = WindowMaker.cloneOfUnified(at: seen.mountPoint) {
            return CgroupHierarchy(name: "v2", root: clone, window: .own)
        }
        let options = seen.superOptions.filter { !["rw", "ro"].contains($0) }.map { MountOption.flag($0) }
        return open("v2", type: "cgroup2", options, WindowMaker.cgroup2Magic, &notes) { _ in seen.mountPoint }
    }

    func freezer(_ notes: inout [String]) -> CgroupHierarchy? { versionOne("freezer", &notes) }

    /// The v1 hierarchy of a controller, or `nil` where it is not mounted as v1.
    func versionOne(_ controller: String, _ notes: inout [String]) -> CgroupHierarchy? {
        let line = lines.first { $0.controllers.contains(controller) }
        guard let line else { return nil }
        let options = line.controllers.map { controller in
            controller.hasPrefix("name=")
                ? MountOption.string("name", String(controller.dropFirst(5))) : MountOption.flag(controller)
        }
        return open(line.hierarchy, type: "cgroup", options, WindowMaker.cgroup1Magic, &notes) { notes in
            mounts(&notes).first { $0.type == "cgroup" && $0.superOptions.contains(controller) }?.mountPoint
        }
    }

    private func open(
        _ name: String,
        type: String,
        _ options: [MountOption],
        _ magic: Int,
        _ notes: inout [String],
        visible: (inout [String]) -> BytePath?
    ) -> CgroupHierarchy? {
        let reason: String
        do throws(Failure) {
            return CgroupHierarchy(name: name, root: try WindowMaker.mount(type, options: options), window: .own)
        } catch {
            reason = error.reason
        }
        notes.append("no own mount of \(name): \(reason)")
        guard let place = visible(&notes) else { return nil }
        do throws(Failure) {
            let root = try WindowMaker.visible(place, magic: magic)
            return CgroupHierarchy(name: name, root: root, window: .visible(because: reason))
        } catch {
            notes.append("\(name): \(error.reason)")
            return nil
        }
    }
}
