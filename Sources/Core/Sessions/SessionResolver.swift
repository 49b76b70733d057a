public import Base
import Documents
public import Kernel

/// Resolves a locator to a session, once; from then on its pins are used (RT35).
///
/// Reads only stat, status, cgroup and namespace links of processes and the files of cgroups: nothing that the session
/// serves or can watch, nothing that can block (RT7, RT13). Connects to nothing.
public struct SessionResolver: Sendable {
    /// The machine.
    public let host: Host
    /// How long the groups below one may be walked before a freeze, which holds them all anyway. When it cannot be told in
    /// time who stands in them, the session has no leader, and that is in its failures. Without it they are walked to the
    /// end.
    public var patience: Duration?
    /// Whether only the pins are wanted, as before a freeze: where the leader and the groups can be told without looking at
    /// every process, the session has its leader alone among its members and no guests.
    public var pinsOnly = false
    private let root: BytePath
    private let inventory: @Sendable () throws(Failure) -> Inventory

    /// Takes an inventory that was read already, or none.
    public init(host: Host, inventory: Inventory = .empty, root: BytePath = BytePath("/")) {
        self.init(host: host, root: root) { () throws(Failure) -> Inventory in inventory }
    }

    /// Takes a way to read the inventory, used only for `agent:` and for bare names. Below `root`, which is `/` but for
    /// tests, lie the files of containers, read only for locators of containers and for bare names.
    public init(
        host: Host,
        root: BytePath = BytePath("/"),
        loading inventory: @escaping @Sendable () throws(Failure) -> Inventory
    ) {
        self.host = host
        self.root = root
        self.inventory = inventory
    }

    /// Resolves to exactly one session.
    ///
    /// No such session is ``Base/Failure/Code/notFound``, several are ``Base/Failure/Code/ambiguous``; the hint then
    /// holds complete `quell` commands with `verb`, made of pids and agents' names only (RT14). Pid 1, threads of the
    /// kernel and the root cgroup are ``Base/Failure/Code/refused``. A cgroup without processes is a session without
    /// members, which is not an error.
    public func resolve(_ locator: Locator, for verb: String = "freeze") throws(Failure) -> Session {
        switch locator {
        case .cgroup(let path): return try resolve(cgroup: path, as: locator, agent: nil)
        case .pid(let pid): return try resolve(pid: pid, as: locator, agent: nil)
        case .agent(let name): return try resolve(agent: name, for: verb)
        case .podman, .docker, .oci, .lxc, .nspawn:
            return try resolve(container: locator, as: locator, agent: nil, for: verb)
        case .runsc(let name): return try resolve(sandbox: name, as: locator, agent: nil, for: verb)
        case .qmp(let path): return try resolve(monitor: path, as: locator, agent: nil, for: verb)
        case .unit(let name): return try resolve(unit: name, as: locator, agent: nil, for: verb)
        case .name(let name): return try resolve(name: name, for: verb)
        case .path:
            throw Failure(
                .notFound,
                "find the session",
                on: locator.description,
                because: "nothing runs in a directory: what it holds can be captured and nothing else",
                hint: "quell sessions"
            )
        }
    }

    private func resolve(agent name: String, for verb: String) throws(Failure) -> Session {
        let known = try inventory()
        guard let record = known.agent(named: name) else {
            let near = NearestWord.of(name, among: known.agents.map(\.name))
            throw Failure(
                .notFound,
                "find the agent",
                on: name,
                because: "the inventory declares no agent of that name",
                hint: near.map { "quell \(verb) agent:\($0)" } ?? "quell"
            )
        }
        return try resolve(record, for: verb)
    }

    private func resolve(_ record: AgentRecord, for verb: String) throws(Failure) -> Session {
        let locator = Locator.agent(record.name)
        switch record.locator {
        case .cgroup(let path): return try resolve(cgroup: path, as: locator, agent: record)
        case .pid(let pid): return try resolve(pid: pid, as: locator, agent: record)
        case .podman, .docker, .oci, .lxc, .nspawn:
            return try resolve(container: record.locator, as: locator, agent: record, for: verb)
        case .runsc(let name): return try resolve(sandbox: name, as: locator, agent: record, for: verb)
        case .qmp(let path): return try resolve(monitor: path, as: locator, agent: record, for: verb)
        case .unit(let name): return try resolve(unit: name, as: locator, agent: record, for: verb)
        case .agent, .name, .path:
            // The inventory refuses these when it is read.
            throw Failure(.malformed, "find the agent", on: record.name, because: "its locator names another name")
        }
    }

    private func resolve(name: BytePath, for verb: String) throws(Failure) -> Session {
        switch try NameLookup(host: host, root: root, inventory: try inventory()).find(name, for: verb) {
        case .agent(let record): return try resolve(record, for: verb)
        case .container(let locator): return try resolve(container: locator, as: locator, agent: nil, for: verb)
        case .cgroup(let path): return try resolve(cgroup: path, as: .cgroup(path), agent: nil)
        }
    }

    private func resolve(cgroup path: BytePath, as locator: Locator, agent: AgentRecord?) throws(Failure) -> Session {
        var look = SessionLook(host: host, locator: locator, agent: agent, root: root, patience: patience)
        let groups = try CgroupLookup(host: host).groups(at: path)
        if pinsOnly, let session = look.pinned(groups) { return session }
        return try look.session(of: groups)
    }

    private func resolve(
        container name: Locator,
        as locator: Locator,
        agent: AgentRecord?,
        for verb: String
    ) throws(Failure) -> Session {
        let found: FoundContainer
        let runtime: SessionRuntime.Kind
        switch name {
        case .podman(let name):
            (found, runtime) = (try ContainerLookup(host: host, root: root).find(name, for: verb), .podman)
        case .docker(let name):
            (found, runtime) = (try DockerLookup(host: host, root: root).find(name, for: verb), .docker)
        case .oci(let name):
            (found, runtime) = (.running(try OCILookup(host: host, root: root).find(name)), name.runtime.kind)
        case .lxc(let name):
            (found, runtime) = (.running(try LXCLookup(host: host, root: root).find(name, for: verb)), .lxc)
        case .nspawn(let name):
            let first = try NspawnLookup(host: host).find(name, for: verb)
            return try resolve(first: first, of: name.argument, as: locator, agent: agent).run(by: .nspawn)
        case .cgroup, .pid, .agent, .name, .runsc, .qmp, .unit, .path:
            throw Failure(.malformed, "find the container", on: "\(name)", because: "it names no container")
        }
        switch found {
        case .sandbox(let id):
            return try resolve(sandbox: id, as: locator, agent: agent, for: verb)
        case .running(let container) where container.groups.isEmpty:
            let first = container.process
            return try resolve(first: first, of: container.id, as: locator, agent: agent).run(by: runtime)
        case .running(let container):
            var look = SessionLook(host: host, locator: locator, agent: agent, root: root, patience: patience)
            return try look.session(of: container.groups, pinned: container.process).run(by: runtime)
        }
    }

    /// The session around the first process of a container that has no cgroup for itself.
    private func resolve(
        first: ProcessPin,
        of name: String,
        as locator: Locator,
        agent: AgentRecord?
    ) throws(Failure) -> Session {
        var look = SessionLook(host: host, locator: locator, agent: agent, root: root, patience: patience)
        let session = try look.session(around: first.pid)
        guard session.members.contains(where: { $0.pin == first }) else {
            throw Failure(.changed, "find the container", on: name, because: "it ended meanwhile", hint: "quell")
        }
        return session
    }

    private func resolve(
        sandbox name: ContainerName,
        as locator: Locator,
        agent: AgentRecord?,
        for verb: String
    ) throws(Failure) -> Session {
        let sandbox = try GVisorLookup(on: host, root: root).find(name, for: verb)
        var look = SessionLook(host: host, locator: locator, agent: agent, root: root, patience: patience)
        let session = try look.session(around: sandbox.sentry.pid)
        guard session.leader?.pin == sandbox.sentry else {
            throw Failure(.changed, "find the sandbox", on: name.argument, because: "it ended meanwhile", hint: "quell")
        }
        return session
    }

    private func resolve(
        monitor path: BytePath,
        as locator: Locator,
        agent: AgentRecord?,
        for verb: String
    ) throws(Failure) -> Session {
        let machine = try MonitorLookup(host: host).find(path, for: verb)
        var look = SessionLook(host: host, locator: locator, agent: agent, root: root, patience: patience)
        let session = try look.session(around: machine.pid)
        guard session.members.contains(where: { $0.pin == machine }) else {
            let text = String(decoding: path.bytes, as: UTF8.self)
            throw Failure(.changed, "find the virtual machine", on: text, because: "it ended meanwhile", hint: "quell")
        }
        return session.run(by: .qemu)
    }

    private func resolve(
        unit name: UnitName,
        as locator: Locator,
        agent: AgentRecord?,
        for verb: String
    ) throws(Failure) -> Session {
        let path = try UnitLookup(host: host, root: root, patience: patience).find(name, for: verb)
        return try resolve(cgroup: path, as: locator, agent: agent)
    }

    private func resolve(pid: Int32, as locator: Locator, agent: AgentRecord?) throws(Failure) -> Session {
        var look = SessionLook(host: host, locator: locator, agent: agent, root: root, patience: patience)
        return try look.session(around: pid)
    }
}

/// Opens the cgroups that a path names.
struct CgroupLookup {
    let host: Host

    /// The domain cgroups of that path in the unified hierarchy and in the v1 freezer: one or both. The exact path
    /// counts; ` (deleted)` behind a name is a part of it when a cgroup is named so (RT35).
    func groups(at path: BytePath) throws(Failure) -> [Cgroup] {
        var groups: [Cgroup] = []
        for hierarchy in [host.unified, host.freezer].compactMap({ $0 }) {
            do throws(Failure) {
                groups.append(try Cgroup(path, in: hierarchy).domain())
            } catch {
                guard error.code == .notFound else { throw error }
            }
        }
        let text = String(decoding: path.bytes, as: UTF8.self)
        guard !groups.isEmpty else {
            throw Failure(.notFound, "find the cgroup", on: text, because: "there is no such cgroup", hint: "quell")
        }
        guard !groups.contains(where: \.isRoot) else {
            throw Failure(
                .refused,
                "take the cgroup for a session",
                on: text,
                because: "the root of a hierarchy holds the whole machine",
                hint: "quell"
            )
        }
        return groups
    }
}
