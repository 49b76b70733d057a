public import Base

/// A gVisor sandbox as the host sees it: one sentry, in which all guest programs run, its stubs, and the gofers that open
/// files for it. No guest program is a process of the host: what runs inside only the sentry knows.
public struct GVisorSandbox: Hashable, Sendable, Codable {
    /// The ids of the containers in it, as runsc's state files have them; none when no file tells.
    public let containers: [String]
    /// The folder with these files, runsc's `--root`; `nil` when no file tells.
    public let states: BytePath?
    /// The sentry.
    public let sentry: ProcessPin
    /// The gofers: processes of their own, which no lineage joins with the sentry.
    public let gofers: [ProcessPin]

    /// Takes all parts.
    public init(containers: [String], states: BytePath?, sentry: ProcessPin, gofers: [ProcessPin]) {
        self.containers = containers
        self.states = states
        self.sentry = sentry
        self.gofers = gofers
    }
}

/// What runsc wrote about one container. A hint until the kernel confirms it (RT8): the files name pids without their
/// start times. Source: gVisor, runsc/container/container.go and runsc/sandbox/sandbox.go.
struct GVisorState: Hashable {
    let id: String
    let folder: BytePath
    let sentry: Int32
    let gofer: Int32?
    /// When runsc began to make it; its processes begin soon after.
    let created: Instant
    /// Where runsc put them; `nil` under `--ignore-cgroups`.
    let cgroup: BytePath?

    /// `id`, `createdAt`, `goferPid` and `sandbox` with `pid` and `cgroup`; `nil` for a container that does not run.
    ///
    /// - Throws: `malformed` for another form.
    static func parse(_ bytes: [UInt8], at path: BytePath, in folder: BytePath) throws(Failure) -> GVisorState? {
        let value = try ContainerStore.json(bytes, JSONReader.Limits(bytes: 4 << 20, depth: 64), of: path)
        guard let id = value["id"]?.string, let name = ContainerName(parsing: BytePath(id)), name.user == nil else {
            throw ContainerStore.unknownForm(path, "id was expected")
        }
        guard let created = value["createdAt"]?.string.flatMap({ Instant(rfc3339: $0) }) else {
            throw ContainerStore.unknownForm(path, "createdAt was expected")
        }
        guard let sandbox = value["sandbox"] else {
            throw ContainerStore.unknownForm(path, "sandbox was expected")
        }
        guard let sentry = pid(sandbox["pid"]), value["status"]?.string != "stopped" else { return nil }
        return GVisorState(
            id: id,
            folder: folder,
            sentry: sentry,
            gofer: pid(value["goferPid"]),
            created: created,
            cgroup: cgroup(sandbox["cgroup"])
        )
    }

    private static func pid(_ value: JSONValue?) -> Int32? {
        guard let pid = value?.integer.flatMap({ Int32(exactly: $0) }), pid > 1 else { return nil }
        return pid
    }

    private static func cgroup(_ value: JSONValue?) -> BytePath? {
        let name = value?["cgroupv1"]?["name"]?.string ?? value?["cgroupv2"]?["path"]?.string
        guard let name, !name.isEmpty else { return nil }
        let path = BytePath(name)
        return path.isAbsolute ? path : BytePath("/" + name)
    }
}
