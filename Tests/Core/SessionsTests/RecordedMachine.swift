import Base
import Glibc
import Kernel

/// A machine written into a temporary tree: procfs and two cgroup hierarchies as files.
final class RecordedMachine {
    let root: String

    struct Problem: Error { let text: String }

    init() throws {
        var template = Array("/tmp/quell-recorded-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Problem(text: "mkdtemp") }
        root = String(cString: made)
        for folder in ["proc/sys/kernel/random", "cgroup/unified", "cgroup/freezer"] { try makeFolder(folder) }
        try write("proc/sys/kernel/random/boot_id", "b0071d\n")
        try write("cgroup/unified/cgroup.procs", "")
        try write("cgroup/freezer/cgroup.procs", "")
        try process(1, parent: 0, start: 0)
    }

    deinit { remove(root) }

    func host() throws -> Host { try Host(recordedAt: BytePath(root)) }

    /// Records a process and puts it into its cgroups, which are made when they are not there.
    func process(
        _ pid: Int32,
        parent: Int32,
        start: UInt64,
        session: Int32? = nil,
        uid: UInt32 = 1000,
        name: String = "node",
        v2: String = "/",
        freezer: String = "/",
        pidNamespace: Int = 4_026_531_836,
        flags: Int = 0
    ) throws {
        try makeFolder("proc/\(pid)/ns")
        try makeFolder("proc/\(pid)/task/\(pid)")
        let numbers = "S \(parent) \(pid) \(session ?? pid) 0 -1 \(flags) 0 0 0 0 0 0 0 0 20 0 1 0 \(start) 0 0"
        try write("proc/\(pid)/stat", "\(pid) (\(name)) \(numbers)\n")
        try write("proc/\(pid)/task/\(pid)/stat", "\(pid) (\(name)) \(numbers)\n")
        try write("proc/\(pid)/status", "Name:\tx\nUid:\t\(uid)\t\(uid)\t\(uid)\t\(uid)\nGid:\t7\t7\t7\t7\n")
        let lines = "4:freezer:\(freezer)\n0::\(v2)\n"
        try write("proc/\(pid)/cgroup", lines)
        try write("proc/\(pid)/task/\(pid)/cgroup", lines)
        unlink("\(root)/proc/\(pid)/ns/pid")
        symlink("pid:[\(pidNamespace)]", "\(root)/proc/\(pid)/ns/pid")
        try enter(pid, "cgroup/unified", v2)
        try enter(pid, "cgroup/freezer", freezer)
    }

    /// Records one more thread of a process that stands in the root of v2 and in its own freezer group.
    func thread(_ thread: Int32, of pid: Int32, start: UInt64, freezer: String) throws {
        try makeFolder("proc/\(pid)/task/\(thread)")
        let numbers = "S 1 \(pid) \(pid) 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 \(start) 0 0"
        try write("proc/\(pid)/task/\(thread)/stat", "\(thread) (t) \(numbers)\n")
        try write("proc/\(pid)/task/\(thread)/cgroup", "4:freezer:\(freezer)\n0::/\n")
    }

    func cgroup(_ path: String, hierarchy: String = "unified") throws {
        try makeFolder("cgroup/\(hierarchy)\(path)")
        if !exists("cgroup/\(hierarchy)\(path)/cgroup.procs") {
            try write("cgroup/\(hierarchy)\(path)/cgroup.procs", "")
            if hierarchy == "unified" { try write("cgroup/unified\(path)/cgroup.type", "domain\n") }
        }
    }

    /// A FIFO without a writer: whoever opens it to read never returns.
    func trap(_ path: String) throws {
        guard mkfifo("\(root)/\(path)", 0o600) == 0 else { throw Problem(text: path) }
    }

    func remove(folder path: String) { remove("\(root)/\(path)") }

    /// Writes a file in folders that are made.
    func file(_ path: String, _ text: String) throws {
        try makeFolder(path.split(separator: "/").dropLast().joined(separator: "/"))
        try write(path, text)
    }

    func write(_ path: String, _ text: String) throws {
        guard let file = fopen("\(root)/\(path)", "w") else { throw Problem(text: path) }
        defer { fclose(file) }
        fputs(text, file)
    }

    private func enter(_ pid: Int32, _ tree: String, _ path: String) throws {
        let suffix = " (deleted)"
        let folder = path.hasSuffix(suffix) && !exists(tree + path) ? String(path.dropLast(suffix.count)) : path
        guard folder == path else { return }
        let hierarchy = String(tree.dropFirst("cgroup/".count))
        if folder != "/" { try cgroup(folder, hierarchy: hierarchy) }
        guard let file = fopen("\(root)/\(tree)\(folder)/cgroup.procs", "a") else { throw Problem(text: folder) }
        defer { fclose(file) }
        fputs("\(pid)\n", file)
    }

    private func exists(_ path: String) -> Bool { access("\(root)/\(path)", F_OK) == 0 }

    private func makeFolder(_ path: String) throws {
        var made = root
        for component in path.split(separator: "/") {
            made += "/\(component)"
            guard mkdir(made, 0o755) == 0 || errno == EEXIST else { throw Problem(text: made) }
        }
    }

    private func remove(_ path: String) {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { return }
        if facts.st_mode & S_IFMT == S_IFDIR, let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != "." && name != ".." { remove("\(path)/\(name)") }
            }
            closedir(folder)
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}
