import Glibc

/// A fresh cgroup with a hundred sleepers, in v2 and in the v1 freezer when there is one.
final class Groups {
    let name: String
    private let folders: [String]
    private var parent: pid_t = 0

    /// The paths within their hierarchies, v2 first.
    var paths: [String] { folders.map { _ in "/\(name)" } }

    /// `kind` and `count` are for reference-victims.
    init(victims: String, kind: String = "sleepers", count: Int) throws {
        let name = "quell-bench-\(getpid())-\(monotonic())"
        self.name = name
        folders = try Groups.mounts().map { "\($0)/\(name)" }
        for folder in folders where mkdir(folder, 0o755) != 0 {
            throw Command.Failed(description: "cannot make \(folder): \(String(cString: strerror(errno)))")
        }
        let (process, output) = try Command(path: victims, arguments: [kind, "\(count)"] + folders).start()
        parent = process
        var mark = [UInt8](repeating: 0, count: 6)
        guard read(output, &mark, 6) == 6 else { throw Command.Failed(description: "the victims did not get ready") }
        close(output)
    }

    /// The process that was started.
    var leader: pid_t { parent }

    /// Thaws, kills and removes them.
    func destroy() {
        for folder in folders {
            write("0", to: "\(folder)/cgroup.freeze")
            write("THAWED", to: "\(folder)/freezer.state")
        }
        for folder in folders { write("1", to: "\(folder)/cgroup.kill") }
        var status: Int32 = 0
        waitpid(parent, &status, 0)
        for folder in folders {
            // A dead process leaves its group a moment after it was reaped; its orphans are reaped by init.
            var turns = 0
            while rmdir(folder) != 0, errno == EBUSY, turns < 5000 {
                usleep(1000)
                turns += 1
            }
        }
    }

    private func write(_ text: String, to path: String) {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = Glibc.write(file, text, text.utf8.count)
        close(file)
    }

    private static func mounts() throws -> [String] {
        guard let file = fopen("/proc/self/mountinfo", "r") else { throw Command.Failed(description: "no mountinfo") }
        defer { fclose(file) }
        var unified: String?
        var freezer: String?
        var line: UnsafeMutablePointer<CChar>?
        var size = 0
        defer { free(line) }
        while getline(&line, &size, file) > 0, let start = line {
            let halves = String(cString: start).split(separator: "-", maxSplits: 1).map { $0.split(separator: " ") }
            guard halves.count == 2, halves[0].count > 4, halves[1].count > 2, halves[0][3] == "/" else { continue }
            if halves[1][0] == "cgroup2" { unified = unified ?? String(halves[0][4]) }
            let options = halves[1][2].split { $0 == "," || $0 == "\n" }
            if halves[1][0] == "cgroup", options.contains("freezer") { freezer = String(halves[0][4]) }
        }
        guard let unified else { throw Command.Failed(description: "no cgroup v2 hierarchy") }
        return [unified] + [freezer].compactMap { $0 }
    }
}
