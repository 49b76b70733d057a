public import Base
internal import Documents
internal import Kernel

/// What a runtime keeps on disk of one container, told by files that only root can write and by nothing else (RT10). A
/// user's containers have none: what a user wrote leads nobody to a path of the host's.
public struct ContainerFiles: Hashable, Sendable {
    /// One thing that a file says of the container.
    public struct Record: Hashable, Sendable {
        /// What it is, such as `config`; of Quell's own words, `[a-z-]+`.
        public let name: String
        /// The file that says it.
        public let source: BytePath
        /// What it says: the file, or of a table the rows that are about this container.
        public let value: JSONValue

        /// Takes all parts.
        public init(name: String, source: BytePath, value: JSONValue) {
            self.name = name
            self.source = source
            self.value = value
        }
    }

    /// Which program made it.
    public let runtime: SessionRuntime.Kind
    /// Its id there.
    public let id: String
    /// What keeps its files: `overlay`, `overlay2`, `vfs`; empty when no file tells.
    public internal(set) var driver = ""
    /// The folder of its own layer, of an overlay with `diff`, `merged` and `lower` in it; every folder above it is
    /// root's alone.
    public internal(set) var layer: BytePath?
    /// The folders of its image, topmost first.
    public internal(set) var lowers: [BytePath] = []
    /// What files say of it and its image.
    public internal(set) var records: [Record] = []
    /// The folders that hold its logs, and how the names of these begin.
    public internal(set) var logs: [Logs] = []
    /// What could not be read.
    public internal(set) var failures: [Failure] = []

    /// Where logs of it lie.
    public struct Logs: Hashable, Sendable {
        /// The folder.
        public let folder: BytePath
        /// How the names of those begin that are meant.
        public let prefix: String
    }

    /// Takes what every container has.
    public init(runtime: SessionRuntime.Kind, id: String) {
        self.runtime = runtime
        self.id = id
    }

    /// Whether it is an overlay with a layer of its own.
    public var isOverlay: Bool { layer != nil && (driver == "overlay" || driver == "overlay2") }

    /// The folder with what it wrote over its image.
    public var upper: BytePath? { isOverlay ? layer?.appending("diff") : nil }

    static let reading = "read what is kept of the container"

    /// Whether it is known which container it is; else there is only why not.
    public var isAttributed: Bool { !id.isEmpty }

    /// That a session cannot be said to be a container, although something says so.
    static func unattributed(_ runtime: SessionRuntime.Kind, because failure: Failure) -> ContainerFiles {
        var files = ContainerFiles(runtime: runtime, id: "")
        files.failures = [failure]
        return files
    }

    /// Keeps what a file says; one that is not there says nothing.
    mutating func note(_ name: String, _ path: BytePath, pick: (JSONValue) -> JSONValue? = { $0 }) {
        guard let bytes = contents(path) else { return }
        do throws(Failure) {
            let value = try JSONReader.read(bytes, limits: JSONReader.Limits(bytes: 16 << 20, depth: 64))
            if let picked = pick(value) { records.append(Record(name: name, source: path, value: picked)) }
        } catch {
            failures.append(ContainerStore.unknownForm(path, "\(error.subject): \(error.reason)"))
        }
    }

    /// The bytes of a file that is root's alone; `nil` when there is none.
    mutating func contents(_ path: BytePath, limit: Int = 16 << 20) -> [UInt8]? {
        do throws(Failure) {
            return try TrustedFile.read(path, limit: limit, to: ContainerFiles.reading)
        } catch {
            if error.code != .notFound { failures.append(error) }
            return nil
        }
    }

    /// Takes the layer of that name, when its folder is there and root's alone, and the layers that it names below itself:
    /// `lower` has links of a folder `l` beside it, topmost first. Source: containers/storage and moby, both
    /// drivers/overlay/overlay.go.
    mutating func takeLayer(_ name: String, in folder: BytePath) {
        guard ContainerStore.isID(name) else { return }
        let own = folder.appending(name)
        do throws(Failure) {
            _ = try TrustedFile.names(in: own, to: ContainerFiles.reading)
        } catch {
            if error.code != .notFound { failures.append(error) }
            return
        }
        layer = own
        guard driver.hasPrefix("overlay"), let list = contents(own.appending("lower"), limit: 1 << 16) else { return }
        for word in list.split(whereSeparator: { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "\n") }) {
            do throws(Failure) {
                guard let lower = try ContainerFiles.lower(BytePath(word), in: folder) else {
                    throw ContainerStore.unknownForm(own.appending("lower"), "links l/NAME were expected")
                }
                lowers.append(lower)
            } catch {
                failures.append(error)
                // Compared with a part of its image, a container seems to have added the rest.
                lowers = []
                return
            }
        }
    }

    /// `l/NAME` leads to `../ID/diff`; `nil` when it is of another form.
    private static func lower(_ link: BytePath, in folder: BytePath) throws(Failure) -> BytePath? {
        let parts = link.components.compactMap(\.text)
        guard parts.count == 2, parts[0] == "l", !parts[1].hasPrefix(".") else { return nil }
        _ = try TrustedFile.names(in: folder.appending("l"), to: reading)
        let target = try FileNode.at(folder.appending("l")).child(BytePath(parts[1])).linkTarget()
        let steps = target.components.compactMap(\.text)
        guard steps.count == 3, steps[0] == "..", steps[2] == "diff" else { return nil }
        // Docker keeps a layer of its own between a container's and its image, with empty files such as /etc/hosts to
        // mount over: ID-init.
        let id = steps[1].hasSuffix("-init") ? String(steps[1].dropLast(5)) : steps[1]
        guard ContainerStore.isID(id) else { return nil }
        return folder.appending(steps[1]).appending("diff")
    }
}
