import Glibc
import Programs

/// One cgroup folder that a test made, in v2 or in the v1 freezer, with everything below it.
struct TestCgroup: Sendable {
    enum Hierarchy: Sendable { case unified, freezer }

    /// The absolute path of the folder.
    let path: String
    let hierarchy: Hierarchy

    /// Processes in this group and below; names are pids as the kernel lists them.
    var processes: [pid_t] {
        folders.flatMap { folder in
            (Files.text("\(folder)/cgroup.procs") ?? "").split(separator: "\n").compactMap { pid_t($0) }
        }
    }

    /// This folder and all below, the deepest last.
    var folders: [String] {
        var result: [String] = []
        var open = [path]
        while let next = open.popLast() {
            guard Files.isFolder(next) else { continue }
            result.append(next)
            open += (Files.names(in: next) ?? []).map { "\(next)/\($0)" }.filter { Files.isFolder($0) }
        }
        return result.sorted { $0.utf8.count < $1.utf8.count }
    }

    /// Whether the kernel says frozen for this group (v2 `frozen 1`, v1 `FROZEN`).
    var isFrozen: Bool {
        switch hierarchy {
        case .unified: (Files.text("\(path)/cgroup.events") ?? "").contains("frozen 1")
        case .freezer: (Files.text("\(path)/freezer.state") ?? "").hasPrefix("FROZEN")
        }
    }

    /// Asks the kernel to freeze or thaw this group; gives errno, or 0.
    @discardableResult
    func setFrozen(_ frozen: Bool) -> Int32 {
        switch hierarchy {
        case .unified: Files.write(frozen ? "1" : "0", to: "\(path)/cgroup.freeze", create: false)
        case .freezer: Files.write(frozen ? "FROZEN" : "THAWED", to: "\(path)/freezer.state", create: false)
        }
    }

    /// A group below this one, made when it is not there.
    func subgroup(_ name: String) -> TestCgroup {
        mkdir("\(path)/\(name)", 0o755)
        return TestCgroup(path: "\(path)/\(name)", hierarchy: hierarchy)
    }

    /// Asks the kernel to thaw this group and all below.
    func thaw() {
        for folder in folders { TestCgroup(path: folder, hierarchy: hierarchy).setFrozen(false) }
    }

    /// Thaws, kills and removes everything, and gives what would not go: an empty list is success.
    func destroy(within limit: Duration = .seconds(10)) -> [String] {
        guard Files.exists(path) else { return [] }
        _ = eventually(within: limit) {
            thaw()
            if hierarchy == .unified { Files.write("1", to: "\(path)/cgroup.kill", create: false) }
            for process in processes where process > 1 && process != getpid() { kill(process, SIGKILL) }
            reap()
            return processes.isEmpty
        }
        var left = processes.map { "process \($0) in \(path)" }
        // A dead thread leaves its group a moment after the process is gone from the list.
        _ = eventually(within: .seconds(2)) {
            for folder in folders.reversed() { rmdir(folder) }
            return !Files.exists(path)
        }
        if Files.exists(path) { left.append("cgroup \(path)") }
        return left
    }

    /// Reaps our own dead children among the members, so that zombies do not keep a group populated.
    private func reap() {
        for process in processes {
            var status: Int32 = 0
            waitpid(process, &status, WNOHANG)
        }
    }
}
