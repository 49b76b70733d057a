internal import Base
internal import Glibc
internal import Kernel

/// The containers that runc knows: /run/runc/ID/state.json, believed only when root wrote it, and only for a process
/// with that pid and start time (RT8).
enum RuncContainers {
    private static let folder = BytePath("/run/runc")

    /// Ids by the first process of each container. What is not there, not root's, or not of the known form is left out:
    /// the session is then listed by its cgroup.
    static func read() -> [ProcessPin: BytePath] {
        do throws(Failure) {
            let root = try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            guard try root.identity(of: folder).uid == 0 else { return [:] }
            var found: [ProcessPin: BytePath] = [:]
            for id in try root.subdirectories(of: folder) {
                if let pin = first(of: id, in: root) { found[pin] = id }
            }
            return found
        } catch {
            return [:]
        }
    }

    private static func first(of id: BytePath, in root: borrowing Descriptor) -> ProcessPin? {
        let path = id.appending("state.json")
        do throws(Failure) {
            let file = try root.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            let identity = try file.identity(of: path)
            guard identity.uid == 0, identity.mode & S_IFMT == S_IFREG, identity.mode & 0o022 == 0 else { return nil }
            return pin(in: try file.readToEnd(limit: 1 << 20, from: path))
        } catch {
            return nil
        }
    }

    /// `init_process_pid` and `init_process_start`. Source: runc, libcontainer/container.go, BaseState.
    static func pin(in bytes: [UInt8]) -> ProcessPin? {
        let state: JSONValue
        do throws(Failure) { state = try JSONReader.read(bytes) } catch { return nil }
        guard let pid = state["init_process_pid"]?.integer.flatMap({ Int32(exactly: $0) }), pid > 0,
            let start = state["init_process_start"]?.integer.flatMap({ UInt64(exactly: $0) })
        else { return nil }
        return ProcessPin(pid: pid, startTicks: start)
    }
}
