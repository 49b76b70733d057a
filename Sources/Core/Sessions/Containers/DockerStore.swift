public import Base
internal import Documents
internal import Glibc
internal import Kernel

/// A container as docker's files name it. A hint until the kernel confirms it (RT8).
public struct DockerContainer: Hashable, Sendable {
    /// 64 hexadecimal digits.
    public let id: String
    /// The name, without the slash that docker puts in front.
    public let name: String
    /// Which program runs it: `runc`, `runsc`, a name that somebody configured.
    public let runtime: String
    /// Whether docker thinks that it runs.
    public let isRunning: Bool
    /// When it was made.
    public let made: Instant?
    /// When it last ended; `nil` when it never did.
    public let ended: Instant?
    /// How it last ended; `nil` when it never did.
    public let exitStatus: Int?
    /// Whether it was ever started.
    public let wasStarted: Bool
    /// `always`, `on-failure` or `unless-stopped`; `nil` without a policy that restarts.
    public let restart: String?
    /// Whether dockerd runs a health check in it, which plants a process each time.
    public let hasHealthCheck: Bool
    /// Which storage driver keeps its files.
    let driver: String
}

/// The containers that docker has on disk: `containers/ID/config.v2.json` and `hostconfig.json` below its data root. The
/// daemon is not asked (RT13). Read only where nobody but root can write (RT8, RT21). Source: moby, container/container.go;
/// read from docker 20.10.
public struct DockerStore {
    private static let reading = "read the containers of docker"
    /// Where docker keeps what lives as long as the machine.
    let data: BytePath
    /// Where it keeps what lives as long as the boot.
    let state: BytePath

    /// Looks below `root`, which is `/` but for tests. Other folders that /etc/docker/daemon.json names are taken; what is
    /// told to dockerd on its command line is not known.
    public init(root: BytePath = BytePath("/")) throws(Failure) {
        let path = root.appending("etc/docker/daemon.json")
        var settings: JSONValue?
        do throws(Failure) {
            let bytes = try TrustedFile.read(path, limit: 1 << 20, to: DockerStore.reading)
            settings = try ContainerStore.json(bytes, JSONReader.Limits(bytes: 1 << 20, depth: 32), of: path)
        } catch {
            guard error.code == .notFound else { throw error }
        }
        func folder(_ keys: [String], _ usual: String) -> BytePath {
            let named = keys.lazy.compactMap { settings?[$0]?.string }.first.map { BytePath($0) }
            guard let named, named.isAbsolute, !named.components.contains(BytePath("..")) else {
                return root.appending(usual)
            }
            return named.components.reduce(root) { $0.appending($1) }
        }
        data = folder(["data-root", "graph"], "var/lib/docker")
        state = folder(["exec-root"], "run/docker")
    }

    /// All of them.
    ///
    /// - Throws: `notFound` when docker keeps nothing here, `refused` when others can write it, `malformed` when a file is
    ///   not of the form that this version knows.
    public func containers() throws(Failure) -> [DockerContainer] {
        var found: [DockerContainer] = []
        for id in try ids() {
            if let container = try container(id) { found.append(container) }
        }
        return found
    }

    /// Those that can be read, and why others cannot: for lists, in which one broken file hides nothing else.
    ///
    /// - Throws: `notFound` when docker keeps nothing here, `refused` when others can write the folder.
    func readable() throws(Failure) -> (found: [DockerContainer], failures: [Failure]) {
        var found: [DockerContainer] = []
        var failures: [Failure] = []
        for id in try ids() {
            do throws(Failure) {
                if let container = try container(id) { found.append(container) }
            } catch {
                failures.append(error)
            }
        }
        return (found, failures)
    }

    /// The container with that id; `nil` when there is none, or when it is half made or half removed.
    public func container(_ id: String) throws(Failure) -> DockerContainer? {
        guard ContainerStore.isID(id), let config = try json("containers/\(id)/config.v2.json") else { return nil }
        let path = data.appending("containers/\(id)/config.v2.json")
        guard config["ID"]?.string == id else { throw ContainerStore.unknownForm(path, "it names another container") }
        guard let name = config["Name"]?.string, let state = config["State"] else {
            throw ContainerStore.unknownForm(path, "Name and State were expected")
        }
        let host = try json("containers/\(id)/hostconfig.json")
        let policy = host?["RestartPolicy"]?["Name"]?.string ?? ""
        let ended = DockerStore.instant(state["FinishedAt"])
        let check = config["Config"]?["Healthcheck"]?["Test"]?.array?.first?.string
        return DockerContainer(
            id: id,
            name: name.hasPrefix("/") ? String(name.dropFirst()) : name,
            runtime: host?["Runtime"]?.string ?? "runc",
            isRunning: state["Running"]?.bool ?? false,
            made: DockerStore.instant(config["Created"]),
            ended: ended,
            exitStatus: ended == nil ? nil : state["ExitCode"]?.integer.flatMap { Int(exactly: $0) },
            wasStarted: DockerStore.instant(state["StartedAt"]) != nil,
            restart: policy.isEmpty || policy == "no" ? nil : policy,
            hasHealthCheck: check.map { $0 != "NONE" && !$0.isEmpty } ?? false,
            driver: config["Driver"]?.string ?? ""
        )
    }

    /// The writable layer of a container: what it wrote over its image. `nil` when the storage driver keeps none as a
    /// folder, or it is gone. Source: moby, layer/filestore.go.
    ///
    /// - Throws: why it cannot be told: `refused` where others can write.
    func upper(of container: DockerContainer) throws(Failure) -> BytePath? {
        guard OCIContainer.isID(Substring(container.driver).utf8) else { return nil }
        let link = data.appending("image/\(container.driver)/layerdb/mounts/\(container.id)/mount-id")
        let folder: BytePath
        do throws(Failure) {
            let mount = String(decoding: try TrustedFile.read(link, limit: 256, to: DockerStore.reading), as: UTF8.self)
            guard ContainerStore.isID(mount) else { return nil }
            switch container.driver {
            case "overlay2": folder = data.appending("overlay2/\(mount)/diff")
            case "vfs": folder = data.appending("vfs/dir/\(mount)")
            case "btrfs": folder = data.appending("btrfs/subvolumes/\(mount)")
            default: return nil
            }
            _ = try TrustedFile.names(in: folder.parent, to: DockerStore.reading)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
        return folder
    }

    /// The state that runc or crun keeps of a container of docker's.
    func runtimeState(of container: DockerContainer) throws(Failure) -> ContainerState? {
        let runtimes = [container.runtime, "runc"].filter { OCIContainer.isID(Substring($0).utf8) }
        for folder in runtimes.map({ state.appending("runtime-\($0)/moby") }) {
            for runtime in OCIContainer.Runtime.allCases {
                let found = try ContainerState.read(container.id, by: runtime, in: folder, .current())
                if let found { return found }
            }
        }
        return nil
    }

    /// The ids of folders in it, of whatever form their files are.
    private func ids() throws(Failure) -> [String] {
        let folder = data.appending("containers")
        do throws(Failure) {
            _ = try TrustedFile.names(in: folder, to: DockerStore.reading)
        } catch {
            guard error.code == .notFound else { throw error }
            throw Failure(
                .notFound,
                DockerStore.reading,
                on: String(decoding: data.bytes, as: UTF8.self),
                because: "there are no containers of docker on this machine",
                hint: "quell sessions"
            )
        }
        let opened = try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        return try opened.subdirectories(of: folder).compactMap(\.text).filter(ContainerStore.isID).sorted()
    }

    private func json(_ file: String) throws(Failure) -> JSONValue? {
        let path = data.appending(file)
        do throws(Failure) {
            let bytes = try TrustedFile.read(path, limit: 4 << 20, to: DockerStore.reading)
            return try ContainerStore.json(bytes, JSONReader.Limits(bytes: 4 << 20, depth: 64), of: path)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// Docker writes the year 1 for never.
    private static func instant(_ value: JSONValue?) -> Instant? {
        guard let text = value?.string, !text.hasPrefix("0001-") else { return nil }
        return Instant(rfc3339: text)
    }
}
