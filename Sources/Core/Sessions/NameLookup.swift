import Base
import Documents
import Kernel

/// Looks up a bare name: agents of the inventory, cgroups by their last component, containers of root's podman and of
/// docker, and of runc, lxc and systemd-nspawn where nothing else has the name, because their cgroups mostly do. One exact match acts, none or several does nothing and says which complete commands to choose from.
struct NameLookup {
    enum Match {
        case agent(AgentRecord)
        case cgroup(BytePath)
        case container(Locator)
    }

    let host: Host
    let root: BytePath
    let inventory: Inventory
    /// How long the tree of cgroups may be walked, because a freeze waits for it.
    var patience = Duration.milliseconds(250)

    func find(_ name: BytePath, for verb: String) throws(Failure) -> Match {
        let agent = name.text.flatMap { inventory.agent(named: $0) }
        let text = name.text ?? ""
        let search = CgroupSearch(host: host, patience: patience)
        let found = try search.paths { $0.lastComponent == name || LXCLookup.isPayload($0, of: text) }
        var paths = found.paths.filter { $0.lastComponent == name }
        if case .cgroup(let declared) = agent?.locator { paths.removeAll { $0 == declared } }
        var matches = (agent.map { [Match.agent($0)] } ?? []) + paths.map { .cgroup($0) }
        for container in try engines(named: name, isNeeded: matches.isEmpty) where agent?.locator != container {
            matches.append(.container(container))
        }
        if matches.isEmpty, let container = try otherContainer(named: name, hasPayload: !found.paths.isEmpty) {
            matches.append(.container(container))
        }
        let subject = String(decoding: name.bytes, as: UTF8.self)
        guard found.isWhole else { throw CgroupSearch.cutShort(subject, try choices(matches, verb)) }
        if matches.count == 1 { return matches[0] }
        guard !matches.isEmpty else {
            throw Failure(
                .notFound,
                "find the session",
                on: subject,
                because: "no agent of the inventory, no cgroup and no container has that name",
                hint: near(name, verb)
            )
        }
        throw Failure(
            .ambiguous,
            "find the session",
            on: subject,
            because: "\(matches.count) sessions have that name",
            hint: try choices(matches, verb).joined(separator: "\n")
        )
    }

    /// Containers of that name, root's of podman and those of docker. Storage that cannot be read, because its form is
    /// unknown or others can write it, is told only when nothing else has the name.
    private func engines(named name: BytePath, isNeeded: Bool) throws(Failure) -> [Locator] {
        guard let container = ContainerName(parsing: name), container.user == nil else { return [] }
        var found: [Locator] = []
        var failure: Failure?
        do throws(Failure) {
            if try ContainerLookup(host: host, root: root).hasContainer(container) { found.append(.podman(container)) }
        } catch {
            failure = error
        }
        do throws(Failure) {
            if try DockerLookup(host: host, root: root).hasContainer(container) { found.append(.docker(container)) }
        } catch {
            failure = failure ?? error
        }
        if isNeeded, found.isEmpty, let failure { throw failure }
        return found
    }

    private func otherContainer(named name: BytePath, hasPayload: Bool) throws(Failure) -> Locator? {
        if let container = OCIContainer(parsing: name, of: .runc), container.user == nil,
            try OCILookup(host: host, root: root).hasContainer(container)
        {
            return .oci(container)
        }
        guard let container = ContainerName(parsing: name), container.user == nil else { return nil }
        if hasPayload { return .lxc(container) }
        return try NspawnLookup(host: host).hasContainer(container) ? .nspawn(container) : nil
    }

    private func near(_ name: BytePath, _ verb: String) -> String {
        guard let text = name.text, let near = NearestWord.of(text, among: inventory.agents.map(\.name)) else {
            return "quell"
        }
        return "quell \(verb) agent:\(near)"
    }

    /// Complete commands made of agents' names and pids only: the name of a cgroup is the session's word, not ours
    /// (RT14).
    private func choices(_ matches: [Match], _ verb: String) throws(Failure) -> [String] {
        var commands: [String] = []
        var empty = 0
        for match in matches {
            switch match {
            case .agent(let record): commands.append("quell \(verb) agent:\(record.name)")
            case .container(let locator):
                do throws(Failure) {
                    if let command = try command(locator, verb) { commands.append(command) }
                } catch {
                    switch (error.code, error.hint) {
                    case (.notFound, _): empty += 1
                    case (.ambiguous, let several?): commands.append(several)
                    default: throw error
                    }
                }
            case .cgroup(let path):
                var look = SessionLook(host: host, locator: .cgroup(path), agent: nil)
                let session = try look.session(of: try CgroupLookup(host: host).groups(at: path))
                if let leader = session.leader {
                    commands.append("quell \(verb) pid:\(leader.pin.pid)")
                } else {
                    empty += 1
                }
            }
        }
        if empty > 0 { commands.append("(\(empty) of them have no process)") }
        return commands
    }

    /// The command with the whole id of a container of an engine's.
    private func command(_ locator: Locator, _ verb: String) throws(Failure) -> String? {
        switch locator {
        case .podman(let name):
            "quell \(verb) podman:\(try ContainerLookup(host: host, root: root).find(name, for: verb).id)"
        case .docker(let name):
            "quell \(verb) docker:\(try DockerLookup(host: host, root: root).find(name, for: verb).id)"
        default: nil
        }
    }
}
