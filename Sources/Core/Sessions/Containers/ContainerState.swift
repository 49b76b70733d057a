import Base
import Documents
import Kernel

/// What a runtime wrote about a running container: the first process and the cgroups. A hint until the kernel confirms
/// it (RT8).
struct ContainerState: Hashable {
    /// The first process, as the host counts.
    let process: ProcessPin
    /// The paths of its cgroups, with or without the mount point in front.
    let cgroups: [BytePath]
    /// The root file system that it was made with; whoever wrote the state chose the text (RT10).
    var rootfs: BytePath?
    /// When it was made.
    var made: Instant?

    /// The state of a container, as one of the runtimes left it; `nil` when none has one, because it does not run.
    ///
    /// - Throws: `refused` when others can write it, `malformed` when it is of a form that this version does not know.
    static func read(_ id: String, of owner: ContainerOwner) throws(Failure) -> ContainerState? {
        for runtime in OCIContainer.Runtime.allCases {
            if let state = try read(id, by: runtime, of: owner) { return state }
        }
        return nil
    }

    /// The same, of one runtime.
    static func read(
        _ id: String,
        by runtime: OCIContainer.Runtime,
        of owner: ContainerOwner
    ) throws(Failure) -> ContainerState? {
        do throws(Failure) {
            return try read(id, by: runtime, in: owner.states.appending(runtime.rawValue), owner.writers)
        } catch {
            throw owner.hinting(error)
        }
    }

    /// The same, in the folder in which the runtime keeps its states.
    static func read(
        _ id: String,
        by runtime: OCIContainer.Runtime,
        in folder: BytePath,
        _ writers: TrustedOwners
    ) throws(Failure) -> ContainerState? {
        switch runtime {
        case .runc:
            let path = folder.appending("\(id)/state.json")
            return try contents(path, writers).map { bytes throws(Failure) in try runc(bytes, id, of: path) }
        case .crun:
            let path = folder.appending("\(id)/status")
            return try contents(path, writers).map { bytes throws(Failure) in try crun(bytes, of: path) }
        }
    }

    private static func contents(_ path: BytePath, _ writers: TrustedOwners) throws(Failure) -> [UInt8]? {
        do throws(Failure) {
            return try TrustedFile.read(path, owners: writers, limit: 4 << 20, to: "read the state of a container")
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// runc 1.1: `id`, `init_process_pid`, `init_process_start`, `cgroup_paths`. Source: libcontainer, BaseState.
    static func runc(_ bytes: [UInt8], _ id: String, of path: BytePath) throws(Failure) -> ContainerState {
        let value = try ContainerStore.json(bytes, JSONReader.Limits(bytes: 4 << 20, depth: 64), of: path)
        guard value["id"]?.string == id else { throw ContainerStore.unknownForm(path, "it names another container") }
        guard let process = pin(value["init_process_pid"], value["init_process_start"]) else {
            throw ContainerStore.unknownForm(path, "init_process_pid and init_process_start were expected")
        }
        let paths = (value["cgroup_paths"]?.object?.members ?? []).compactMap(\.value.string)
        guard !paths.isEmpty else { throw ContainerStore.unknownForm(path, "cgroup_paths was expected") }
        return ContainerState(
            process: process,
            cgroups: paths.map { BytePath($0) },
            rootfs: folder(value["config"]?["rootfs"]),
            made: value["created"]?.string.flatMap { Instant(rfc3339: $0) }
        )
    }

    /// crun 1.x: `pid`, `process-start-time`, `cgroup-path`. Source: crun, libcrun/status.c.
    static func crun(_ bytes: [UInt8], of path: BytePath) throws(Failure) -> ContainerState {
        let value = try ContainerStore.json(bytes, JSONReader.Limits(bytes: 4 << 20, depth: 64), of: path)
        guard let process = pin(value["pid"], value["process-start-time"]) else {
            throw ContainerStore.unknownForm(path, "pid and process-start-time were expected")
        }
        guard let group = value["cgroup-path"]?.string, !group.isEmpty else {
            throw ContainerStore.unknownForm(path, "cgroup-path was expected")
        }
        return ContainerState(
            process: process,
            cgroups: [BytePath(group)],
            rootfs: folder(value["rootfs"]),
            made: value["created"]?.string.flatMap { Instant(rfc3339: $0) }
        )
    }

    private static func folder(_ value: JSONValue?) -> BytePath? {
        guard let text = value?.string, text.hasPrefix("/") else { return nil }
        return BytePath(text)
    }

    private static func pin(_ pid: JSONValue?, _ start: JSONValue?) -> ProcessPin? {
        guard let pid = pid?.integer.flatMap({ Int32(exactly: $0) }), pid > 1,
            let start = start?.integer.flatMap({ UInt64(exactly: $0) }), start > 0
        else { return nil }
        return ProcessPin(pid: pid, startTicks: start)
    }
}
