public import Base
public import Kernel

/// What runs a session, as far as the paths of its cgroups tell. A path is a hint (RT8): whoever may make cgroups can
/// name one as a runtime does. Sources: cgroup layouts of podman, docker, cri-o, containerd, lxc; systemd.scope(5).
public struct SessionRuntime: Hashable, Sendable, Codable {
    /// Which kind.
    public enum Kind: String, Hashable, Sendable, Codable {
        case podman, docker, containerd, crio, runc, lxc, nspawn
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
        case .podman, .docker, .containerd, .crio, .runc, .lxc, .nspawn: true
        case .service, .scope, .slice, .cgroup, .process: false
        }
    }

    /// Reads where a process stands. Containers are told by any hierarchy, the innermost one counts; else the unified
    /// hierarchy, the v1 freezer and systemd's own are asked in that order.
    public init(of lines: [CgroupLine]) {
        let ordered = lines.sorted { SessionRuntime.rank($0) < SessionRuntime.rank($1) }
        let asked = ordered.filter { SessionRuntime.rank($0) < 3 }
        let found =
            ordered.lazy.compactMap { SessionRuntime.container($0) }.first
            ?? asked.lazy.compactMap { SessionRuntime.unit($0) }.first
            ?? asked.lazy.filter { SessionRuntime.rank($0) < 2 && !$0.path.components.isEmpty }
            .map { SessionRuntime(.cgroup, at: $0) }.first
        self = found ?? SessionRuntime(.process, at: CgroupLine(hierarchy: "v2", path: BytePath("/")))
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
        return nil
    }

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
