public import Base
internal import Documents
public import Kernel

extension ContainerFiles {
    /// What is kept of the container that a running session is. The name of a cgroup is only where to look: whoever may
    /// make cgroups calls one as a container's is called. It counts when a state that its runtime keeps for that id names
    /// the session's first process, or one whose cgroups, as the kernel has them, the session stands in or below (RT8).
    /// Not attributed, with the reason, where only the name says so; `nil` when nothing does.
    public static func of(_ pin: SessionPin, on host: Host, root: BytePath = BytePath("/")) -> ContainerFiles? {
        var lines = pin.cgroups.map { CgroupLine(hierarchy: $0.hierarchy, path: $0.path) }
        if let leader = pin.leader {
            do throws(Failure) {
                lines += try ProcessDirectory(leader, on: host).cgroups()
            } catch {
                // It has ended: the groups that were pinned are left.
                guard !lines.isEmpty else { return nil }
            }
        }
        var doubt: ContainerFiles?
        var asked: Set<String> = []
        for component in lines.flatMap(\.path.components).compactMap(\.text) where asked.insert(component).inserted {
            let words = component.split(separator: ".", maxSplits: 1)
            guard let name = words.first, words.count == 1 || words[1] == "scope" else { continue }
            let id = String(name.split(separator: "-").last ?? "")
            guard ContainerStore.isID(id), let argument = ContainerName(parsing: BytePath(id)) else { continue }
            if name == "libpod-\(id)", let found = podman(id, root) {
                guard found.isAttributed else {
                    doubt = doubt ?? found
                    continue
                }
                let objection = objection(to: id, of: pin, lines, host, root) { () throws(Failure) in
                    try ContainerLookup(host: host, root: root).find(argument, for: "capture")
                }
                guard let objection else { return found }
                doubt = doubt ?? unattributed(.podman, because: objection)
            }
            if name == "docker-\(id)" || name == id, let found = docker(id, root) {
                guard found.isAttributed else {
                    doubt = doubt ?? found
                    continue
                }
                let objection = objection(to: id, of: pin, lines, host, root) { () throws(Failure) in
                    try DockerLookup(host: host, root: root).find(argument, for: "capture")
                }
                guard let objection else { return found }
                doubt = doubt ?? unattributed(.docker, because: objection)
            }
        }
        guard let leader = pin.leader else { return doubt }
        let states = OCIContainers.states(of: .root(at: root))
        if let known = states.found.first(where: { $0.1.process == leader }) { return oci(known.0, root) }
        return doubt ?? unreadable(.runc, unread(states, lines))
    }

    /// Why states could not be read that may be this session's: those of an id that a cgroup of it is called after, and
    /// all when they could not even be listed.
    private static func unread(_ states: OCIContainers.States, _ lines: [CgroupLine]) -> [Failure] {
        let names = lines.flatMap(\.path.components).compactMap(\.text)
        return states.unread.filter { id, _ in
            guard let id else { return true }
            return names.contains { $0 == id || $0.hasSuffix("-\(id)") || $0.hasSuffix("-\(id).scope") }
        }
        .map(\.failure)
    }

    /// Why a session is not the container that a cgroup of it is called after; `nil` when it is.
    private static func objection(
        to id: String,
        of pin: SessionPin,
        _ lines: [CgroupLine],
        _ host: Host,
        _ root: BytePath,
        _ find: () throws(Failure) -> FoundContainer
    ) -> Failure? {
        func refused(_ reason: String) -> Failure {
            let words = "a cgroup of the session is called after it, but \(reason): nothing of it is attributed"
            return Failure(.refused, reading, on: id, because: words)
        }
        do throws(Failure) {
            switch try find() {
            case .running(let container):
                if container.process == pin.leader { return nil }
                let isInside = lines.contains { line in
                    container.groups.contains { group in
                        group.hierarchy.name == line.hierarchy && line.path.isAtOrBelow(group.path)
                    }
                }
                if isInside { return nil }
            case .sandbox:
                let sandbox = pin.leader.flatMap { GVisorLookup(on: host, root: root).sandbox(holding: $0.pid) }
                if sandbox?.containers.contains(id) ?? false { return nil }
            }
            return refused("its runtime keeps a state that names other processes and cgroups")
        } catch {
            return refused(error.reason)
        }
    }

    /// What is kept of a container by its locator, as ``DeadSession`` has it: with a whole id. `nil` for a user's.
    public static func of(_ locator: Locator, root: BytePath = BytePath("/")) -> ContainerFiles? {
        switch locator {
        case .podman(let name) where name.user == nil: podman(name.name, root)
        case .docker(let name): docker(name.name, root)
        case .oci(let container) where container.user == nil: oci(container, root)
        default: nil
        }
    }

    // MARK: - Podman

    private static func podman(_ id: String, _ root: BytePath) -> ContainerFiles? {
        let owner = ContainerOwner.root(at: root)
        guard ContainerStore.isID(id) else { return nil }
        var unread: [Failure] = []
        for driver in ["overlay", "vfs", "btrfs", "zfs"] {
            var files = ContainerFiles(runtime: .podman, id: id)
            files.driver = driver
            let folder = owner.storage.appending("\(driver)-containers")
            files.note("container", folder.appending("containers.json")) { row($0, id) }
            if files.records.isEmpty {
                let passing = owner.volatileStorage.appending("\(driver)-containers/volatile-containers.json")
                files.note("container", passing) { row($0, id) }
            }
            guard let container = files.records.first?.value else {
                unread += files.failures
                continue
            }
            let data = folder.appending("\(id)/userdata")
            files.note("config", data.appending("config.json"))
            files.logs = [Logs(folder: data, prefix: "ctr.log")]
            files.noteImage(container["image"]?.string ?? "", owner.storage.appending("\(driver)-images"))
            if let layer = container["layer"]?.string {
                files.noteLayers(layer, owner, driver)
                if driver == "overlay" { files.takeLayer(layer, in: owner.storage.appending("overlay")) }
                if driver == "vfs" { files.takeLayer(layer, in: owner.storage.appending("vfs/dir")) }
            }
            files.noteStates(of: id, below: [owner.states.appending("runc"), owner.states.appending("crun")])
            return files
        }
        return unreadable(.podman, unread)
    }

    /// That files which may be about the container could not be read; `nil` when all were, and none is.
    private static func unreadable(_ runtime: SessionRuntime.Kind, _ failures: [Failure]) -> ContainerFiles? {
        guard let first = failures.first else { return nil }
        var files = unattributed(runtime, because: first)
        files.failures = failures
        return files
    }

    private static func row(_ table: JSONValue, _ id: String) -> JSONValue? {
        table.array?.first { $0["id"]?.string == id }
    }

    /// The image's row, its manifest and its configuration, whose file is named by `=` and the base64 of its digest.
    private mutating func noteImage(_ image: String, _ folder: BytePath) {
        guard ContainerStore.isID(image) else { return }
        note("image", folder.appending("images.json")) { ContainerFiles.row($0, image) }
        note("image-manifest", folder.appending("\(image)/manifest"))
        note("image-config", folder.appending("\(image)/=\(Base64.encode("sha256:\(image)".utf8))"))
    }

    /// The rows of the layers from the container's own to the first of its image: they have the digests.
    private mutating func noteLayers(_ first: String, _ owner: ContainerOwner, _ driver: String) {
        var rows: [String: JSONValue] = [:]
        let table = owner.storage.appending("\(driver)-layers/layers.json")
        for path in [table, owner.volatileStorage.appending("\(driver)-layers/volatile-layers.json")] {
            note("layers", path) { value in
                for row in value.array ?? [] {
                    if let id = row["id"]?.string { rows[id] = row }
                }
                return nil
            }
        }
        var chain: [JSONValue] = []
        var next: String? = first
        while let id = next, chain.count < 512, let row = rows[id] {
            chain.append(row)
            next = row["parent"]?.string
        }
        if !chain.isEmpty { records.append(Record(name: "layers", source: table, value: .array(chain))) }
    }

    // MARK: - Docker

    private static func docker(_ id: String, _ root: BytePath) -> ContainerFiles? {
        var files = ContainerFiles(runtime: .docker, id: id)
        do throws(Failure) {
            let store = try DockerStore(root: root)
            guard let container = try store.container(id) else { return nil }
            files.driver = container.driver
            let folder = store.data.appending("containers/\(id)")
            for (name, file) in [("container", "config.v2.json"), ("host-config", "hostconfig.json")] {
                files.note(name, folder.appending(file))
            }
            files.logs = [
                Logs(folder: folder, prefix: "\(id)-json.log"),
                Logs(folder: folder.appending("local-logs"), prefix: "container.log"),
            ]
            let digest = files.records.first?.value["Image"]?.string?.split(separator: ":").last.map(String.init) ?? ""
            let images = store.data.appending("image/\(container.driver)")
            if ContainerStore.isID(digest) {
                files.note("image-config", images.appending("imagedb/content/sha256/\(digest)"))
                files.note("image", images.appending("repositories.json")) { names(of: digest, in: $0) }
            }
            let layer = files.contents(images.appending("layerdb/mounts/\(id)/mount-id"), limit: 256)
            if let layer {
                let folder = container.driver == "vfs" ? "vfs/dir" : container.driver
                files.takeLayer(String(decoding: layer, as: UTF8.self), in: store.data.appending(folder))
            }
            let states = store.state.appending("runtime-\(container.runtime)/moby")
            files.noteStates(of: id, below: [states, store.state.appending("runtime-runc/moby")])
        } catch {
            return error.code == .notFound ? nil : unreadable(.docker, [error])
        }
        return files
    }

    /// The names and repository digests that lead to an image.
    private static func names(of image: String, in table: JSONValue) -> JSONValue? {
        var found = JSONObject()
        for repository in table["Repositories"]?.object?.members ?? [] {
            for name in repository.value.object?.members ?? [] where name.value.string == "sha256:\(image)" {
                found[name.key] = name.value
            }
        }
        return found.members.isEmpty ? nil : .object(found)
    }

    // MARK: - runc and crun

    private static func oci(_ container: OCIContainer, _ root: BytePath) -> ContainerFiles {
        var files = ContainerFiles(runtime: container.runtime.kind, id: container.id)
        files.noteStates(of: container.id, below: [root.appending("run/\(container.runtime.rawValue)")])
        return files
    }

    /// `state.json` of runc, `status` of crun, of the first folder that has one.
    private mutating func noteStates(of id: String, below folders: [BytePath]) {
        for folder in folders {
            let count = records.count
            for file in ["state.json", "status"] { note("state", folder.appending(id).appending(file)) }
            if records.count > count { return }
        }
    }
}

extension DeadSession {
    /// The dead sessions of this machine that a locator is about, the last that ended first.
    ///
    /// - Throws: what ``SessionList`` throws.
    public static func find(
        _ locator: Locator,
        on host: Host,
        by deadline: Deadline
    ) throws(Failure) -> [DeadSession] {
        let question = SessionQuestion(includesPlain: true)
        return try SessionList.look(at: host, asking: question, by: deadline).dead.filter { $0.isMeant(by: locator) }
    }
}
