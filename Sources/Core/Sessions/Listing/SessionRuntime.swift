public import Base
public import Kernel

/// What runs a session, as far as the paths of its cgroups tell. A path is a hint (RT8): whoever may make cgroups can
/// name one as a runtime does. Sources: cgroup layouts of podman, docker, cri-o, containerd, lxc; systemd.scope(5).
public struct SessionRuntime: Hashable, Sendable, Codable {
    /// Which kind.
    public enum Kind: String, Hashable, Sendable, Codable {
        case podman, docker, containerd, crio, runc, crun, lxc, nspawn
        /// A sandbox without state on disk, told by the program that started it.
        case bubblewrap, firejail
        /// The same, by the layout that its documentation gives; not tried against the real program.
        case nsjail
        /// A microVM of Firecracker's, by the layout that its documentation gives; not tried against the real program.
        case firecracker
        /// A gVisor sandbox: what runs inside is no process of the host.
        case gvisor
        /// A virtual machine of QEMU's: what runs inside is no process of the host.
        case qemu
        /// A systemd service.
        case service
        /// A systemd scope: a login, a command under systemd-run.
        case scope
        /// A systemd slice.
        case slice
        /// A cgroup that somebody made.
        case cgroup
        /// Plain processes, in the root cgroup or in a cgroup that holds others, too.
        case process
    }

    /// Which kind.
    public var kind: Kind
    /// The container's id, or the name of the container or unit; `nil` for cgroups and processes.
    public var name: BytePath?
    /// The name that its runtime has for it beside the id; whoever made the container chose it.
    public var label: BytePath?
    /// Where it is: the hierarchy as ``Base/CgroupPin/hierarchy`` has it, and the path of its cgroup.
    public var cgroup: CgroupLine

    /// Takes all parts.
    public init(_ kind: Kind, name: BytePath? = nil, at cgroup: CgroupLine) {
        self.kind = kind
        self.name = name
        self.cgroup = cgroup
    }

    /// Whether a runtime of containers made it.
    public var isContainer: Bool {
        switch kind {
        case .podman, .docker, .containerd, .crio, .runc, .crun, .lxc, .nspawn, .nsjail, .firecracker, .gvisor,
            .qemu:
            true
        case .bubblewrap, .firejail, .service, .scope, .slice, .cgroup, .process: false
        }
    }

    /// Whether what runs inside is no process of the host, and unknown from outside.
    public var isOpaque: Bool { kind == .gvisor || kind == .qemu }

    /// Reads where a process stands. Containers are told by any hierarchy, the innermost one counts; else the unified
    /// hierarchy, the v1 freezer and systemd's own are asked in that order.
    public init(of lines: [CgroupLine]) {
        let ordered = lines.sorted { SessionRuntime.rank($0) < SessionRuntime.rank($1) }
        let asked = ordered.filter { SessionRuntime.rank($0) < 3 }
        let found =
            ordered.lazy.compactMap { SessionRuntime.container($0) }.first
            ?? asked.lazy.compactMap { SessionRuntime.unit($0) }.first
            ?? asked.lazy.filter { SessionRuntime.rank($0) < 2 && !$0.path.components.isEmpty }
            .map { SessionRuntime(SessionRuntime.isMonitor($0) ? .process : .cgroup, at: $0) }.first
        self = found ?? SessionRuntime(.process, at: CgroupLine(hierarchy: "v2", path: BytePath("/")))
    }

    /// The group that lxc puts beside a container for the process that waits for it.
    private static func isMonitor(_ line: CgroupLine) -> Bool {
        line.path.lastComponent.text?.hasPrefix("lxc.monitor") == true
    }

    private static func rank(_ line: CgroupLine) -> Int {
        if line.hierarchy == "v2" { return 0 }
        if line.controllers.contains("freezer") { return 1 }
        return line.controllers.contains("name=systemd") ? 2 : 3
    }

    private static func container(_ line: CgroupLine) -> SessionRuntime? {
        let components = line.path.components
        for index in components.indices.reversed() {
            let above = index > 0 ? components[index - 1].text : nil
            guard let found = container(components[index], below: above) else { continue }
            let path = BytePath([UInt8(ascii: "/")] + components[...index].map(\.bytes).joined(separator: [47]))
            return SessionRuntime(found.0, name: found.1, at: CgroupLine(hierarchy: line.hierarchy, path: path))
        }
        return nil
    }

    private static func container(_ component: BytePath, below parent: String?) -> (Kind, BytePath)? {
        guard var text = component.text else { return nil }
        if text.hasSuffix(".scope") { text.removeLast(6) }
        let prefixes: [(String, Kind)] = [
            ("libpod-", .podman), ("docker-", .docker), ("cri-containerd-", .containerd), ("crio-", .crio),
        ]
        for (prefix, kind) in prefixes where text.hasPrefix(prefix) {
            let id = text.dropFirst(prefix.count)
            if isContainerID(id) { return (kind, BytePath(String(id))) }
        }
        if isContainerID(text[...]), parent == "docker" { return (.docker, component) }
        if isContainerID(text[...]), let parent, parent.hasPrefix("pod") { return (.containerd, component) }
        if text.hasPrefix("lxc.payload.") { return (.lxc, BytePath(String(text.dropFirst(12)))) }
        if parent == "lxc", component != BytePath("lxc.monitor") { return (.lxc, component) }
        if parent == "machine.slice", component.text?.hasSuffix(".scope") == true, text.hasPrefix("machine-") {
            return (.nspawn, BytePath(String(text.dropFirst(8))))
        }
        if parent == "machine.slice", text.hasPrefix("systemd-nspawn@") { return (.nspawn, component) }
        return documented(component, text, below: parent)
    }

    /// Layouts of programs that this was not tried against: nsjail makes `NSJAIL.PID` (cgroup.cc, cgroup2.cc), the jailer
    /// of Firecracker a group with the id below one with the name of the program (docs/jailer.md).
    private static func documented(_ component: BytePath, _ text: String, below parent: String?) -> (Kind, BytePath)? {
        let jail = "NSJAIL."
        if text.hasPrefix(jail), text.utf8.count > jail.utf8.count, text.utf8.dropFirst(7).allSatisfy(isDigit) {
            return (.nsjail, component)
        }
        return parent?.contains("firecracker") == true ? (.firecracker, component) : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isContainerID(_ text: Substring) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// The innermost service or scope; a path of slices alone is one of a slice.
    private static func unit(_ line: CgroupLine) -> SessionRuntime? {
        let components = line.path.components
        for index in components.indices.reversed() {
            guard let kind = unitKind(components[index]), kind != .slice || index == components.count - 1 else {
                continue
            }
            let path = BytePath([UInt8(ascii: "/")] + components[...index].map(\.bytes).joined(separator: [47]))
            let place = CgroupLine(hierarchy: line.hierarchy, path: path)
            return SessionRuntime(kind, name: components[index], at: place)
        }
        return nil
    }

    private static func unitKind(_ component: BytePath) -> Kind? {
        guard let text = component.text else { return nil }
        if text.hasSuffix(".service") { return .service }
        if text.hasSuffix(".scope") { return .scope }
        return text.hasSuffix(".slice") ? .slice : nil
    }
}

extension SessionRuntime: CustomStringConvertible {
    /// What people read, made safe for a terminal: `podman web (0a1b2c3d4e5f)`, `lxc web`, `bubblewrap in /a.scope`.
    public var description: String {
        let path = cgroup.path
        if let label, let name { return "\(kind.rawValue) \(label) (\(BytePath(name.bytes.prefix(12))))" }
        if let name { return "\(kind.rawValue) \(name)" }
        if kind == .cgroup { return "cgroup \(path)" }
        return path == BytePath("/") ? kind.rawValue : "\(kind.rawValue) in \(path)"
    }
}
