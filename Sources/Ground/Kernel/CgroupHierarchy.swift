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
    private let lines: [CgroupLine]
    private let mounts: MountTable

    init(proc: SharedDescriptor) throws(Failure) {
        let cgroupPath = BytePath("self/cgroup")
        let cgroup = try proc.descriptor.open(cgroupPath, O_RDONLY, to: "read the own cgroups")
        lines = CgroupLine.parse(try cgroup.readToEnd(from: cgroupPath))
        let mountsPath = BytePath("self/mountinfo")
        let mountinfo = try proc.descriptor.open(mountsPath, O_RDONLY, to: "read the mount table")
        mounts = MountTable(cgroupsIn: try mountinfo.readToEnd(from: mountsPath))
    }

    func unified(_ notes: inout [String]) -> CgroupHierarchy? {
        guard lines.contains(where: { $0.hierarchy == "v2" }) else {
            notes.append("this kernel has no unified cgroup hierarchy")
            return nil
        }
        let seen = mounts.entries.first { $0.type == "cgroup2" && $0.root == BytePath("/") }
        guard let seen else {
            notes.append("cgroup2 is not mounted here, and its options are not known")
            return nil
        }
        // Writable as the mount, or its clone could not freeze.
        if seen.options.contains("rw"), let clone = WindowMaker.cloneOfUnified(at: seen.mountPoint) {
            return CgroupHierarchy(name: "v2", root: clone, window: .own)
        }
        let options = seen.superOptions.filter { !["rw", "ro"].contains($0) }.map { MountOption.flag($0) }
        return open("v2", type: "cgroup2", options, seen.mountPoint, WindowMaker.cgroup2Magic, &notes)
    }

    func freezer(_ notes: inout [String]) -> CgroupHierarchy? { versionOne("freezer", &notes) }

    /// The v1 hierarchy of a controller, or `nil` where it is not mounted as v1.
    func versionOne(_ controller: String, _ notes: inout [String]) -> CgroupHierarchy? {
        let line = lines.first { $0.controllers.contains(controller) }
        guard let line else { return nil }
        let seen = mounts.entries.first { $0.type == "cgroup" && $0.superOptions.contains(controller) }
        let options = line.controllers.map { controller in
            controller.hasPrefix("name=")
                ? MountOption.string("name", String(controller.dropFirst(5))) : MountOption.flag(controller)
        }
        return open(line.hierarchy, type: "cgroup", options, seen?.mountPoint, WindowMaker.cgroup1Magic, &notes)
    }

    private func open(
        _ name: String,
        type: String,
        _ options: [MountOption],
        _ visible: BytePath?,
        _ magic: Int,
        _ notes: inout [String]
    ) -> CgroupHierarchy? {
        let reason: String
        do throws(Failure) {
            return CgroupHierarchy(name: name, root: try WindowMaker.mount(type, options: options), window: .own)
        } catch {
            reason = error.reason
        }
        notes.append("no own mount of \(name): \(reason)")
        guard let visible else { return nil }
        do throws(Failure) {
            let root = try WindowMaker.visible(visible, magic: magic)
            return CgroupHierarchy(name: name, root: root, window: .visible(because: reason))
        } catch {
            notes.append("\(name): \(error.reason)")
            return nil
        }
    }
}
