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
        switch runtime {
        case .runc:
            guard let bytes = try contents(owner.states.appending("runc/\(id)/state.json"), owner) else { return nil }
            return try runc(bytes.bytes, id, of: bytes.path)
        case .crun:
            guard let bytes = try contents(owner.states.appending("crun/\(id)/status"), owner) else { return nil }
            return try crun(bytes.bytes, of: bytes.path)
        }
    }

    private static func contents(
        _ path: BytePath,
        _ owner: ContainerOwner
    ) throws(Failure) -> (bytes: [UInt8], path: BytePath)? {
        do throws(Failure) {
            let bytes = try TrustedFile.read(
                path,
                owners: owner.writers,
                limit: 4 << 20,
                to: "read the state of a container"
            )
            return (bytes, path)
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
        return ContainerState(process: process, cgroups: paths.map { BytePath($0) })
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
        return ContainerState(process: process, cgroups: [BytePath(group)])
    }

    private static func pin(_ pid: JSONValue?, _ start: JSONValue?) -> ProcessPin? {
        guard let pid = pid?.integer.flatMap({ Int32(exactly: $0) }), pid > 1,
            let start = start?.integer.flatMap({ UInt64(exactly: $0) }), start > 0
        else { return nil }
        return ProcessPin(pid: pid, startTicks: start)
    }
}
